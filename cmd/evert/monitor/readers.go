package monitor

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// Readers are the consumer groups that read the table topics. Who falls behind
// by more than delete.retention.ms misses deletes and has to begin anew, so
// somebody has to know before. Its methods may be called from any goroutine;
// nil ones are none.
//
// How far behind a group is in time is not written anywhere. Two things are
// known, and the larger counts:
//
//	the age of the oldest record that it has not read       survives our restart, but a compaction
//	                                                        may have taken older ones
//	the time since its offset last moved or was at the end  does not, and only grows
type Readers struct {
	mu     sync.Mutex
	seen   map[partitionOf]sight
	status []ReaderStatus
}

// partitionOf is a group's place in one partition.
type partitionOf struct {
	group string
	log.TopicPartition
}

// sight is what was last seen there.
type sight struct {
	offset int64
	moved  time.Time // when the offset was first seen, or last at the end
	oldest time.Time // of a Reading
}

// A Reading is how far a group has read one partition.
type Reading struct {
	Group string
	log.TopicPartition
	Offset    int64         // committed: the next one to be read
	Stable    int64         // the end of what can be read
	Oldest    time.Time     // when the oldest record that is not read was written; zero if there is none
	Retention time.Duration // of tombstones; 0 for ever
}

// A ReaderStatus is how far behind a group is.
type ReaderStatus struct {
	Group            string  `json:"group"`
	LagSeconds       float64 `json:"lag_seconds"` // on the partition where it is furthest behind
	UnreadRecords    int64   `json:"unread_records"`
	RetentionSeconds float64 `json:"retention_seconds,omitempty"` // the smallest of its topics; 0 for ever
}

// Oldest gives what the last Reading at this offset said, so that nobody has to
// read it again.
func (r *Readers) Oldest(group string, tp log.TopicPartition, offset int64) (at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.seen[partitionOf{group, tp}]
	return last.oldest, ok && last.offset == offset && !last.oldest.IsZero()
}

// Observed takes in how far all groups have read.
func (r *Readers) Observed(now time.Time, all []Reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, groups := map[partitionOf]sight{}, map[string]*ReaderStatus{}
	for i := range all {
		reading := &all[i]
		at := partitionOf{reading.Group, reading.TopicPartition}
		last, known := r.seen[at]
		if !known || last.offset != reading.Offset || reading.Oldest.IsZero() {
			last = sight{offset: reading.Offset, moved: now}
		}
		last.oldest = reading.Oldest
		seen[at] = last
		st := groups[reading.Group]
		if st == nil {
			st = &ReaderStatus{Group: reading.Group}
			groups[reading.Group] = st
		}
		st.take(now, reading, last)
	}
	r.seen, r.status = seen, nil
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		r.status = append(r.status, *groups[name])
	}
}

func (st *ReaderStatus) take(now time.Time, reading *Reading, last sight) {
	if s := reading.Retention.Seconds(); s > 0 && (st.RetentionSeconds == 0 || s < st.RetentionSeconds) {
		st.RetentionSeconds = s
	}
	if reading.Oldest.IsZero() {
		return
	}
	st.UnreadRecords += max(0, reading.Stable-reading.Offset)
	st.LagSeconds = max(st.LagSeconds, now.Sub(reading.Oldest).Seconds(), now.Sub(last.moved).Seconds())
}

// Status gives the groups in the order of their names; the caller owns it.
func (r *Readers) Status() []ReaderStatus {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.status)
}
