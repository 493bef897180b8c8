package capture

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// halt ends a table, and nothing else (I8): none of its changes is written from
// here on, and the frontier stays where it was for it, so that our readers see
// no part of this transaction in it.
//
// One that had stopped keeps its reason. Where the source is to stop with it, the
// error is given back.
func (s *Sink) halt(topic string, t *schema.Table, err error) error {
	if t != nil && s.wanted(t).StopSource {
		return err
	}
	state := s.next.Tables[topic]
	delete(s.joined, topic)
	if state.State == log.Stopped {
		return nil
	}
	why := &pipeline.Refusal{Code: codeStopped, Where: "topic " + topic, What: "its table has stopped", Err: err}
	errors.As(err, &why)
	state.State, state.Why = log.Stopped, log.Stop{Code: why.Code, Text: short(why), At: s.stopsAt(topic)}
	s.set(topic, state)
	s.records = withoutTopic(s.records, topic)
	s.stopped(topic, t, why)
	return nil
}

// stopsAt gives since when changes are missing of a table that stops now. In an
// append-only topic it is since an earlier stop, while no committed record tells of that:
// the one that would have is taken out again. No two stops have one time (ErrorID).
func (s *Sink) stopsAt(topic string) time.Time {
	next, had := s.next.Tables[topic], s.committed.Tables[topic]
	switch {
	case next.Append && next.Why.Code != "":
		return next.Why.At.Add(time.Microsecond)
	case next.Append && had.Why.Code != "":
		return had.Why.At.Add(time.Microsecond)
	}
	return s.at.UTC().Truncate(time.Microsecond)
}

// reasonBytes bounds what the frontier keeps of a reason.
const reasonBytes = 400

// short is a reason without code and mend, in one line.
func short(why *pipeline.Refusal) string {
	text := why.What
	if why.Where != "" {
		text = why.Where + ": " + text
	}
	if why.Err != nil {
		text += ": " + why.Err.Error()
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > reasonBytes {
		text = strings.ToValidUTF8(text[:reasonBytes], "") + "…"
	}
	return text
}

// orHalt ends the table of a row that cannot be made whole (I5), and gives every
// other error back.
func (s *Sink) orHalt(t *schema.Table, err error) error {
	if pipeline.CodeOf(err) != codeUnknown {
		return err
	}
	return s.halt(s.tables[t].topic, t, err)
}

// giveUp stops tables that a transform or the source has given up, also one whose
// topic was never made: rows of it are missing from here on. So are rows of topics
// that only an earlier run knew.
func (s *Sink) giveUp(tables []pipeline.TableStop) error {
	for _, t := range tables {
		topic, others := s.wanted(t.Table).Name, s.also(t.Also)
		s.refuseCopy(topic, t.Copy)
		if !t.Routed || len(others) == 0 { // else it would be named for good, and nobody has seen it
			if err := s.halt(topic, t.Table, t.Why); err != nil {
				return err
			}
			s.routed(topic, t.Also != nil)
		}
		for _, topic := range others {
			s.refuseCopy(topic, t.Copy)
			if err := s.halt(topic, nil, t.Why); err != nil {
				return err
			}
			s.routed(topic, t.Also != nil)
		}
	}
	return nil
}

// routed notes of a topic that stopped whether those stopped with it that rows are yet to
// name.
func (s *Sink) routed(topic string, is bool) {
	if state := s.next.Tables[topic]; is && state.State == log.Stopped && !state.Why.Routed {
		state.Why.Routed = true
		s.set(topic, state)
	}
}

// missing gives why rows are missing that would have gone to a table before it was named:
// their table of the source was given up, maybe in an earlier run (I8).
func (s *Sink) missing(t *schema.Table) (why log.Stop, is bool) {
	for _, r := range s.routes {
		if r.Table != t {
			continue
		}
		for _, topic := range append(s.also(r.Also), s.wanted(r.Origin).Name) {
			if state := s.next.Tables[topic]; state.State == log.Stopped && state.Why.Routed {
				return state.Why, true
			}
		}
	}
	return why, false
}

// also gives the topics of the tables that fn reports; none if it is nil.
func (s *Sink) also(fn func(space, name string) bool) (topics []string) {
	if fn == nil {
		return nil
	}
	for _, topic := range slices.Sorted(maps.Keys(s.next.Tables)) {
		rest, _ := strings.CutPrefix(topic, s.Prefix+".")
		if space, name, ok := strings.Cut(rest, "."); ok && fn(space, name) {
			topics = append(topics, topic)
		}
	}
	return topics
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

// stoppedBefore says that a table stopped in an earlier run, and why. Releases
// before 2 of the frontier record did not keep the reason.
func (s *Sink) stoppedBefore(topic string, t *schema.Table) {
	told := t
	if t == nil {
		t = s.tableOf(topic)
	}
	why := &pipeline.Refusal{Code: codeStopped, Where: "topic " + topic,
		What: "its table stopped earlier, and its changes since then were not written"}
	if stop := s.next.Tables[topic].Why; stop.Code != "" {
		why.Code = stop.Code
		why.What = "its table stopped at " + stop.At.Format(time.RFC3339) + ", and its changes since then were not written: " + stop.Text
	}
	why.Mend = s.mendOf(why.Code, t)
	s.stopped(topic, told, why)
}

// tableOf gives the table that a topic is named after; nil if it is named otherwise.
func (s *Sink) tableOf(topic string) *schema.Table {
	rest, _ := strings.CutPrefix(topic, s.Prefix+".")
	space, name, _ := strings.Cut(rest, ".")
	t := &schema.Table{Schema: space, Name: name}
	if s.wanted(t).Name != topic {
		return nil
	}
	return t
}

// mendOf is what mends a stop for a reason; t is nil where only its topic is known.
func (s *Sink) mendOf(code pipeline.Code, t *schema.Table) string {
	again := s.copyCommand(t)
	switch {
	case code == codeKeyChanged:
		return "evert reset " + s.Source + " --yes   # begins its topics anew; or restore the key, then: " + again
	case code == codeIncompatible:
		return "evert reset " + s.Source + " --yes   # begins its topics and their schemas anew; or lower the subject's compatibility level, then: " + again
	case code == codeTooLarge:
		return "make the row smaller, raise limits.record_bytes and limits.value_bytes, or set on_oversize: truncate, offload or dead_letter for the table; then\n" + again
	case t == nil:
		return again
	case code == codeUnknown:
		return fmt.Sprintf("ALTER TABLE %s.%s REPLICA IDENTITY FULL;\n%s", quoted(t.Schema), quoted(t.Name), again)
	case code == CodePaused:
		return "evert resume " + s.Source + "." + t.String()
	}
	return again
}

// copyCommand is the command that copies a table again; all tables, where its name is
// not known or the source cannot copy one.
func (s *Sink) copyCommand(t *schema.Table) string {
	if t == nil || !s.Copies {
		return "evert reset " + s.Source + " --resnapshot --yes"
	}
	return "evert snapshot " + s.Source + "." + t.String()
}

// refuseCopy notes that a copy which was asked for does not begin. Its table stops for
// the reason of that, whatever it was before.
func (s *Sink) refuseCopy(topic, id string) {
	if id == "" {
		return
	}
	state := s.next.Tables[topic]
	state.State = 0
	noteCopy(&state, id)
	s.set(topic, state)
}
