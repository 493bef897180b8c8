package embedded

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// The defaults of log.TopicSpec.
const (
	defaultRetention = 7 * 24 * time.Hour
	defaultMinLag    = time.Hour
	defaultMaxBytes  = 16 << 20
)

// A topic is what lies under its key, and its partitions. The fields never
// change, but for Retention of one without compaction, under Log.mu.
type topic struct {
	log.TopicSpec
	parts []*partition
}

// storedTopic is a topic as it lies in Pebble.
type storedTopic struct {
	Spec log.TopicSpec `json:"spec"`
	IDs  []uint32      `json:"ids"` // by partition
}

func (t *topic) stored() ([]byte, error) {
	s := storedTopic{Spec: t.TopicSpec}
	for _, p := range t.parts {
		s.IDs = append(s.IDs, p.id)
	}
	return json.Marshal(s)
}

func parseTopic(b []byte) (*topic, error) {
	var s storedTopic
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	return newTopic(s.Spec, s.IDs), nil
}

func newTopic(spec log.TopicSpec, ids []uint32) *topic {
	t := &topic{TopicSpec: spec}
	for i, id := range ids {
		tp := log.TopicPartition{Topic: spec.Name, Partition: int32(i)}
		t.parts = append(t.parts, &partition{tp: tp, id: id, topic: t})
	}
	return t
}

// complete fills in the defaults of a spec.
func complete(s log.TopicSpec) log.TopicSpec {
	or(&s.Partitions, 1)
	or(&s.Retention, defaultRetention)
	or(&s.MinLag, defaultMinLag)
	or(&s.MaxBytes, defaultMaxBytes)
	s.Settings = maps.Clone(s.Settings)
	return s
}

func newTopicID() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// A partition is a sequence of records. Its ends:
//
//	start ............ missed ..... swept ........... stable ........... next
//	  records may lie   tombstones   compaction        committed, seen    open commit
//	  from here on      below may    went up to here                      of the owner
//	                    be gone
type partition struct {
	tp    log.TopicPartition
	id    uint32
	topic *topic

	// Under Log.mu:
	stable   int64 // as durable under kindStable: readers see it only then
	horizons       // as durable under kindHorizon, or about to be
	owner    *Writer
	next     int64 // the next offset to give; the owner's copy leads while there is one
	newestAt int64 // time of the newest block, µs
	fresh    int64 // records committed since the last pass of the sweep
	gone     bool  // its topic was deleted
}

// horizons are what the sweep knows of a partition.
type horizons struct {
	start  int64 // no record lies below
	swept  int64 // cuts from here on lost nothing to compaction
	missed int64 // behind the last tombstone that was dropped
	live   int64 // records that the last pass left
}

func (h horizons) value() []byte {
	var b []byte
	for _, v := range []int64{h.start, h.swept, h.missed, h.live} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

func parseHorizons(b []byte) (h horizons) {
	for _, v := range []*int64{&h.start, &h.swept, &h.missed, &h.live} {
		u, n := binary.Uvarint(b)
		if n <= 0 {
			return h
		}
		*v, b = int64(u), b[n:]
	}
	return h
}

func (t *topic) info() log.TopicInfo {
	i := log.TopicInfo{TopicSpec: t.TopicSpec, Ends: make([]log.Ends, len(t.parts))}
	i.Settings = maps.Clone(t.Settings)
	for n, p := range t.parts {
		i.Ends[n] = log.Ends{Start: p.start, Stable: p.stable}
	}
	return i
}

// partition finds a partition, nil if there is none. Log.mu is held.
func (l *Log) partition(tp log.TopicPartition) *partition {
	t := l.topics[tp.Topic]
	if t == nil || tp.Partition < 0 || int(tp.Partition) >= len(t.parts) {
		return nil
	}
	return t.parts[tp.Partition]
}

// sortedTopics gives all topics by name. Log.mu is held.
func (l *Log) sortedTopics() []*topic {
	var all []*topic
	for _, name := range slices.Sorted(maps.Keys(l.topics)) {
		all = append(all, l.topics[name])
	}
	return all
}
