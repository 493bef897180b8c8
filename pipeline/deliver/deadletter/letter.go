package deadletter

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
)

// Topic names the topic of a sink's dead letters.
func Topic(deployment, sink string) string {
	return log.Sanitize(deployment + ".sinks." + sink + ".dlq")
}

// A Held says what a letter's value is.
type Held string

// A letter holds a record; or one whose value says that the row is gone; or it
// knows its place alone, because a newer record of the key had replaced it.
const (
	Record     Held = "record"
	Tombstone  Held = "tombstone"
	Superseded Held = "superseded"
)

// A Letter is a record that was rejected.
type Letter struct {
	ID          string // the key in the topic
	Place       deliver.Place
	Incarnation string
	Code        pipeline.Code
	What        string
	Sink        string
	At          time.Time
	Attempt     int
	Held        Held
	Key         []byte       // of the record, as its schema encodes it
	Value       []byte       // likewise; empty from List
	Headers     []log.Header // of the record; none from List
	Bytes       int          // of the value
}

// The headers of a letter. Those of log name reason and topic of every dead
// letter, also of tables.
const (
	partitionHeader   = "evert-partition"
	offsetHeader      = "evert-offset"
	incarnationHeader = "evert-incarnation"
	keyHeader         = "evert-key"
	heldHeader        = "evert-value"
	whatHeader        = "evert-what"
	sinkHeader        = "evert-sink"
	timeHeader        = "evert-time"
	attemptHeader     = "evert-attempt"
)

func idOf(p deliver.Place, topicID string) string {
	return fmt.Sprintf("%s/%d/%d@%s", p.Topic, p.Partition, p.Offset, topicID)
}

// OfTopic names the identity of the topic that the letter comes from: a topic of
// the same name that was made anew has another one, and other offsets.
func (l *Letter) OfTopic() string {
	_, id, _ := strings.Cut(l.ID, "@")
	return id
}

// PlaceText writes a place as ParsePlace reads it.
func PlaceText(p deliver.Place) string {
	return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset)
}

// ParsePlace reads topic/partition/offset, as messages and lists show it.
func ParsePlace(text string) (p deliver.Place, err error) {
	text, _, _ = strings.Cut(text, "@")
	parts := strings.Split(text, "/")
	if len(parts) != 3 || parts[0] == "" {
		return p, errPlace
	}
	partition, err := strconv.ParseInt(parts[1], 10, 32)
	if err != nil || partition < 0 {
		return p, errPlace
	}
	offset, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || offset < 0 {
		return p, errPlace
	}
	return deliver.Place{Topic: parts[0], Partition: int32(partition), Offset: offset}, nil
}

var errPlace = errors.New("a place is topic/partition/offset, such as shop.public.orders/0/4711")

// record is the letter as it is written.
func (l *Letter) record(topic string) log.Record {
	text := func(key, value string) log.Header { return log.Header{Key: key, Value: []byte(value)} }
	headers := append([]log.Header(nil), l.Headers...)
	headers = append(headers,
		text(log.TopicHeader, l.Place.Topic), text(partitionHeader, strconv.Itoa(int(l.Place.Partition))), text(offsetHeader, strconv.FormatInt(l.Place.Offset, 10)),
		text(incarnationHeader, l.Incarnation), log.Header{Key: keyHeader, Value: l.Key}, text(heldHeader, string(l.Held)),
		text(log.ReasonHeader, string(l.Code)), text(whatHeader, l.What), text(sinkHeader, l.Sink),
		text(timeHeader, l.At.UTC().Format(time.RFC3339Nano)), text(attemptHeader, strconv.Itoa(l.Attempt)))
	value := l.Value
	if value == nil {
		value = []byte{} // nil would be a tombstone of the letter
	}
	return log.Record{TopicPartition: log.TopicPartition{Topic: topic}, Key: []byte(l.ID), Value: value, Headers: headers}
}

// ours is how many headers record adds.
const ours = 11

// Record is the record that was rejected, as it was in its topic, if the letter
// holds it.
func (l *Letter) Record() log.Record {
	r := log.Record{TopicPartition: log.TopicPartition{Topic: l.Place.Topic, Partition: l.Place.Partition}, Offset: l.Place.Offset, Time: l.At,
		Key: l.Key, Headers: l.Headers}
	if l.Held == Record {
		r.Value = l.Value
	}
	return r
}

// parse reads a letter back; it shares nothing with r.
func parse(r *log.Record) (l Letter, err error) {
	last := func(key string) string { // ours stand behind those of the record
		for i := len(r.Headers) - 1; i >= 0; i-- {
			if r.Headers[i].Key == key {
				return string(r.Headers[i].Value)
			}
		}
		return ""
	}
	l = Letter{ID: string(r.Key), Incarnation: last(incarnationHeader), Code: pipeline.Code(last(log.ReasonHeader)), What: last(whatHeader), Sink: last(sinkHeader),
		Held: Held(last(heldHeader)), Key: []byte(last(keyHeader)), Bytes: len(r.Value)}
	if l.Place, err = ParsePlace(l.ID); err != nil {
		return l, fmt.Errorf("%s offset %d is no dead letter: %w", r.TopicPartition, r.Offset, err)
	}
	l.At, _ = time.Parse(time.RFC3339Nano, last(timeHeader))
	l.Attempt, _ = strconv.Atoi(last(attemptHeader))
	return l, nil
}

// incarnationOf names the history that a record belongs to; a foreign writer has
// none.
func incarnationOf(r *log.Record) string {
	pos, err := log.ParsePos(r.Find(log.PosHeader))
	if err != nil {
		return ""
	}
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, pos.Incarnation))
}

// fetch reads a record again; ok is false if it is not there any more.
func fetch(ctx context.Context, l log.Log, p deliver.Place) (r log.Record, ok bool, err error) {
	tp := log.TopicPartition{Topic: p.Topic, Partition: p.Partition}
	err = log.Scan(ctx, l, tp, log.Ends{Start: p.Offset, Stable: p.Offset + 1}, func(found *log.Record) error {
		if found.Offset != p.Offset {
			return nil
		}
		r, ok = clone(found), true
		return nil
	})
	if errors.Is(err, log.ErrGap) {
		err = nil
	}
	return r, ok, err
}

func clone(r *log.Record) log.Record {
	c := *r
	c.Key, c.Value, c.Headers = append([]byte(nil), r.Key...), nil, nil
	if r.Value != nil {
		c.Value = append([]byte{}, r.Value...)
	}
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, log.Header{Key: h.Key, Value: append([]byte(nil), h.Value...)})
	}
	return c
}
