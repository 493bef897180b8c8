package log

import (
	"fmt"
	"time"
)

// A TopicPartition names one partition of one topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String prints tp as topic/partition.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

// Offsets are places in partitions: everything below the offset lies before.
type Offsets map[TopicPartition]int64

// A Record is one entry of a partition. A nil Value is a tombstone; an empty
// one is not. Offset and Time are set by the log.
type Record struct {
	TopicPartition
	Offset  int64
	Time    time.Time // when the log took it
	Key     []byte
	Value   []byte
	Headers []Header
}

// A Header is a named string of bytes beside a record's value.
type Header struct {
	Key   string
	Value []byte
}

// Find gives the value of the header called key, nil if there is none.
func (r *Record) Find(key string) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value
		}
	}
	return nil
}

// Size is roughly what r occupies, in bytes; it serves bounds.
func (r *Record) Size() int {
	n := 24 + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 4 + len(h.Key) + len(h.Value)
	}
	return n
}
