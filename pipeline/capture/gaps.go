package capture

import (
	"context"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
)

// Gaps gives what append-only topics lack when the frontier of a source is deleted: the
// changes from now until the source has begun anew. A gap that no record tells of yet goes
// on from where it began; last is the reset before. If that cannot be read, nobody knows
// since when changes are missing, and the time is zero. So does one that last has begun, if it
// was cut off and nothing was captured since. found is the place of the frontier, for
// control.Reset. topics are those of the source. The source does not run meanwhile.
func Gaps(ctx context.Context, l log.Log, deployment, source string, topics []string, last control.Reset, now time.Time) (gaps map[string]control.Gap, found string, err error) {
	if len(topics) == 0 {
		return nil, "", nil
	}
	w, err := l.Writer(ctx, WriterID(source)) // whose last commit may be one that readers do not see yet
	if err != nil {
		return nil, "", fmt.Errorf("take the writer of source %q: %w", source, err)
	}
	defer w.Close()
	fold, err := log.ReadFrontier(ctx, l, log.FrontierTopic(deployment, source))
	if err != nil {
		return nil, "", err
	}
	infos, err := l.Admin().Topics(ctx, topics...)
	if err != nil {
		return nil, "", err
	}
	gaps = map[string]control.Gap{}
	for _, info := range infos {
		if !info.Compact && hasRecords(info) {
			gaps[info.Name] = gapFrom(now, info, fold, last)
		}
	}
	return gaps, placeOf(fold), nil
}

// placeOf says how far a source was read, as no other place of it is said; empty if there
// is no frontier. What is committed without a step further changes nothing of it.
func placeOf(fold *log.Fold) string {
	at, ok := fold.Frontier()
	if !ok {
		return ""
	}
	if part, ok := fold.Part(); ok {
		at = part
	}
	return fmt.Sprintf("%016x #%d+%d", at.Incarnation, at.Resume.At.Seq, at.Resume.Rows)
}

// gapFrom is the gap of a topic that begins now, or has begun before.
func gapFrom(now time.Time, info log.TopicInfo, fold *log.Fold, last control.Reset) control.Gap {
	newest, _ := fold.Frontier()
	state, written := newest.Tables[info.Name]
	if part, ok := fold.Part(); ok && written {
		state = part.Tables[info.Name]
	}
	before, left := last.Gaps[info.Name]
	cut := last.Found != "" && last.Found == placeOf(fold) // its slot may have gone
	switch {
	case state.Why.Code != "":
		return control.Gap{ID: info.ID, Code: state.Why.Code, At: state.Why.At}
	case last.Unread:
		return control.Gap{ID: info.ID, Code: codeReset} // it may be the reset before's
	case (!written || cut) && left && before.ID == info.ID:
		return before
	}
	return control.Gap{ID: info.ID, Code: codeReset, At: now.UTC().Truncate(time.Microsecond)}
}

// hasRecords reports whether anything was ever written to a topic.
func hasRecords(info log.TopicInfo) bool {
	for _, ends := range info.Ends {
		if ends.Stable > 0 {
			return true
		}
	}
	return false
}

// leftGap gives the gap that the last reset of the source has left in a topic of which no
// frontier speaks; zero if none. Of one whose note cannot be read nobody knows which topics
// it has left, nor since when: so it is each one with records, and the time is zero. Where that reset was cut off before it had removed
// anything, the frontier speaks of all topics.
func (s *Sink) leftGap(ctx context.Context, topic log.TopicInfo) (log.Stop, error) {
	if s.left == nil {
		last, err := control.LastReset(ctx, s.Log, s.Deployment, s.Source)
		if err != nil {
			return log.Stop{}, err
		}
		s.left = &last
	}
	if s.left.Unread && hasRecords(topic) {
		return log.Stop{Code: codeReset}, nil
	}
	if gap, ok := s.left.Gaps[topic.Name]; ok && gap.ID == topic.ID {
		return log.Stop{Code: gap.Code, At: gap.At}, nil
	}
	return log.Stop{}, nil
}

// since is a stop of an append-only topic, from when on changes are missing there: from an
// earlier gap on, if there is one. No two stops have one time (ErrorID).
func since(why, gap log.Stop) log.Stop {
	if gap.Code != "" {
		why.At = gap.At.Add(time.Microsecond)
	}
	return why
}
