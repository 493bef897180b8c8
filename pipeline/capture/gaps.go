package capture

import (
	"context"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// Gaps gives what append-only topics lack when the frontier of a source is deleted and
// they stay: the changes from now until the source has begun anew. A gap that no record
// tells of yet goes on from where it began. topics are those of the source that stay. The
// source does not run meanwhile.
func Gaps(ctx context.Context, l log.Log, deployment, source string, topics []string, now time.Time) (map[string]log.Stop, error) {
	gaps := map[string]log.Stop{}
	if len(topics) == 0 {
		return gaps, nil
	}
	w, err := takeWriter(ctx, l, source) // whose last commit may be one that readers do not see yet
	if err != nil {
		return nil, err
	}
	defer w.Close()
	fold, err := log.ReadFrontier(ctx, l, log.FrontierTopic(deployment, source))
	if err != nil {
		return nil, err
	}
	infos, err := l.Admin().Topics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	part, _ := fold.Part()
	newest, _ := fold.Frontier()
	for _, info := range infos {
		if info.Compact || !hasRecords(info) {
			continue
		}
		gaps[info.Name] = log.Stop{Code: codeReset, Text: "its source was reset", At: now.UTC().Truncate(time.Microsecond)}
		for _, f := range []*log.Frontier{part, newest} {
			if why := f.Tables[info.Name].Why; why.Code != "" {
				gaps[info.Name] = why
			}
		}
	}
	return gaps, nil
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

// LeaveGaps notes gaps for who captures the source next, in its frontier topic, which
// was deleted: the first record of each topic tells of its own, whatever happens before.
// The source does not run meanwhile.
func LeaveGaps(ctx context.Context, l log.Log, deployment, source string, gaps map[string]log.Stop) error {
	if len(gaps) == 0 {
		return nil
	}
	topic := log.FrontierTopic(deployment, source)
	if err := log.Claim(ctx, l, log.Owner{Deployment: deployment, Source: source}, topic); err != nil {
		return err
	}
	if _, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: topic, Partitions: 1, Compact: true}); err != nil {
		return err
	}
	w, err := takeWriter(ctx, l, source)
	if err != nil {
		return err
	}
	defer w.Close()
	f := log.Frontier{Tables: awaiting(gaps)}
	if err := w.Append(ctx, log.Record{TopicPartition: log.TopicPartition{Topic: topic}, Key: []byte(log.ResumeKey), Value: f.AppendPart(nil)}); err != nil {
		return fmt.Errorf("append to %s: %w", topic, err)
	}
	return w.Commit(ctx, nil)
}

// takeWriter takes the writer of a source, which ends what was open under it.
func takeWriter(ctx context.Context, l log.Log, source string) (log.Writer, error) {
	w, err := l.Writer(ctx, WriterID(source))
	if err != nil {
		return nil, fmt.Errorf("take the writer of source %q: %w", source, err)
	}
	return w, nil
}

// awaiting are the states of append-only tables that are known by their gaps alone, and
// begin when their topics are made or verified.
func awaiting(gaps map[string]log.Stop) map[string]log.TableState {
	states := map[string]log.TableState{}
	for topic, why := range gaps {
		states[topic] = log.TableState{State: log.OK, Append: true, Why: why}
	}
	return states
}

// gapsOf gives the gaps that a copy which was not completed has yet to tell of.
func gapsOf(part *log.Frontier) map[string]log.Stop {
	gaps := map[string]log.Stop{}
	for topic, state := range part.Tables {
		if state.Append && state.Why.Code != "" && state.State != log.Stopped {
			gaps[topic] = state.Why
		}
	}
	return gaps
}
