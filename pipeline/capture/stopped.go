package capture

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// halt ends a table, and nothing else (I8): none of its changes is written from
// here on, and the frontier stays where it was for it, so that our readers see
// no part of this transaction in it.
func (s *Sink) halt(topic string, t *schema.Table, err error) {
	state := s.next.Tables[topic]
	state.State = log.Stopped
	s.next.Tables[topic] = state
	s.records = withoutTopic(s.records, topic)
	why := &pipeline.Refusal{Code: codeStopped, Where: "topic " + topic, What: "its table has stopped", Err: err}
	errors.As(err, &why)
	s.stopped(topic, t, why)
}

// orHalt ends the table of a row that cannot be made whole (I5), and gives every
// other error back.
func (s *Sink) orHalt(t *schema.Table, err error) error {
	if pipeline.CodeOf(err) != codeUnknown {
		return err
	}
	s.halt(s.tables[t].topic, t, err)
	return nil
}

// giveUp stops tables that a transform has given up, also one whose topic was
// never made: rows of it are missing from here on. So are rows of topics that only
// an earlier run knew.
func (s *Sink) giveUp(tables []pipeline.TableStop) {
	for _, t := range tables {
		s.halt(s.wanted(t.Table).Name, t.Table, t.Why)
		if t.Also == nil {
			continue
		}
		for _, topic := range slices.Sorted(maps.Keys(s.next.Tables)) {
			rest, _ := strings.CutPrefix(topic, s.Prefix+".")
			space, name, ok := strings.Cut(rest, ".")
			if ok && !s.isStopped(topic) && t.Also(space, name) {
				s.halt(topic, nil, t.Why)
			}
		}
	}
}

func withoutTopic(records []log.Record, topic string) []log.Record {
	kept := records[:0]
	for _, r := range records {
		if r.Topic != topic {
			kept = append(kept, r)
		}
	}
	return kept
}

func (s *Sink) stopped(topic string, t *schema.Table, why *pipeline.Refusal) {
	if s.Events.Stopped != nil {
		s.Events.Stopped(topic, t, why)
	}
}

// isStopped reports whether a table is not written any more.
func (s *Sink) isStopped(topic string) bool { return s.next.Tables[topic].State == log.Stopped }

// stoppedBefore says that a table stopped in an earlier run, which knew why.
func (s *Sink) stoppedBefore(topic string, t *schema.Table) {
	s.stopped(topic, t, &pipeline.Refusal{
		Code: codeStopped, Where: "topic " + topic, What: "its table stopped earlier, and its changes since then were not written",
		Mend: "evert reset " + s.Source + " --resnapshot --yes",
	})
}
