package capture

import (
	"context"
	"slices"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// What a check of topics while rows are written may take: it stands in the way
// of a commit.
const (
	defaultVerifyEvery = time.Minute
	verifyTimeout      = 5 * time.Second
)

// drifts are the refusals of a topic that is not any more what it was at start.
var drifts = [...]pipeline.Code{log.RefuseMissing, log.RefuseReplaced, log.RefusePartitions, log.RefusePolicy, log.RefuseSettings}

// ensured notes a topic as it was found or made, to be compared with later.
func (s *Sink) ensured(spec log.TopicSpec, info log.TopicInfo) {
	spec.ID = info.ID
	s.specs = append(s.specs, spec)
}

// verify compares the topics with what they were, now and then, before a commit:
// one that was deleted, made anew, or given other partitions or weaker settings
// is a refusal before it takes another row (K13, K14, K18). A cluster that does
// not answer is for the commit to find out.
func (s *Sink) verify(ctx context.Context) error {
	if s.at.Sub(s.verified) < s.VerifyEvery {
		return nil
	}
	first := s.verified.IsZero()
	s.verified = s.at
	if first || len(s.specs) == 0 {
		return nil // Ensure has just looked
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	_, err := s.Log.Admin().Ensure(ctx, s.specs...)
	if slices.Contains(drifts[:], pipeline.CodeOf(err)) {
		return s.named(err)
	}
	return nil
}
