package capture

import (
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/avro"
)

// Spec says what the topic has to be. The name is that of the topic.
func (t Topic) Spec() log.TopicSpec {
	spec := log.TopicSpec{Name: t.Name, Partitions: int32(max(t.Partitions, 1)), Compact: !t.Append, Settings: t.Settings, MaxBytes: t.MaxBytes}
	if t.Append {
		spec.Retention = t.Retention
	}
	return spec
}

// takes reports whether a policy can be followed in the table's topic. Pieces of an
// offloaded value go when its row changes, and a dead letter leaves a tombstone: in an
// append-only topic, which has to say every change, neither will do.
func (t *table) takes(p Policy) bool { return !t.appends || p == StopTable || p == Truncate }

// cannotTell reports whether a TRUNCATE has no record in the table's topic.
func (s *Sink) cannotTell(tab *table) bool { return tab.appends && s.Envelope == avro.Row }

// tellTruncate appends Debezium's record of a TRUNCATE, without a key, to every
// partition of an append-only topic: whoever folds one partition sees it in its place.
func (s *Sink) tellTruncate(tab *table, c *pipeline.Change) error {
	value, err := s.value(tab, s.event(tab, c, pipeline.Truncate))
	if err != nil {
		return err
	}
	headers := s.withGap(tab, beside(c, nil))
	for p := range tab.partitions {
		s.records = append(s.records, log.Record{
			TopicPartition: log.TopicPartition{Topic: tab.topic, Partition: int32(p)}, Value: value, Headers: s.headers(c, headers),
		})
	}
	return nil
}

// copyBehind begins the copy of an append-only topic: its rows lie behind all that the
// topic holds, and nothing there is superseded. What was missed is told by the first
// record that follows.
func (s *Sink) copyBehind(topic, id string) {
	state := s.next.Tables[topic]
	state.State = log.Copying
	noteCopy(&state, id)
	s.set(topic, state)
}

// A gap is what header evert-gap says of the changes that an append-only topic lacks
// before its record.
type gap struct {
	Code pipeline.Code `json:"code"` // why the table stopped
	At   time.Time     `json:"at"`   // when, by our clock
}

// withGap adds the header of a gap to the first record of an append-only table behind
// one. The frontier forgets the gap in the same commit.
func (s *Sink) withGap(tab *table, headers []log.Header) []log.Header {
	if !tab.appends {
		return headers
	}
	state := s.next.Tables[tab.topic]
	if state.Why.Code == "" || state.State == log.Stopped {
		return headers
	}
	told := gap{Code: state.Why.Code, At: state.Why.At}
	state.Why = log.Stop{}
	s.set(tab.topic, state)
	return append(headers[:len(headers):len(headers)], jsonHeader(log.GapHeader, told))
}

// cleanupChanged refuses to write an append-only topic as a compacted one, or the other
// way round: what it holds already would be read for what it is not.
func (s *Sink) cleanupChanged(tab *table, was bool) error {
	is, want := "compact", "delete"
	if was {
		is, want = want, is
	}
	return &pipeline.Refusal{Code: log.RefusePolicy, Where: "topic " + tab.topic,
		What: "it was begun with topic: {cleanup: " + is + "}, and " + want + " is wanted now",
		Mend: "evert reset " + s.Source + " --yes   # begins its topics anew; or write topic: {cleanup: " + is + "} for the table"}
}
