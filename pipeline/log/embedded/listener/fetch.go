package listener

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// A fetching is one fetch while it is answered:
//
//	look ─► something to read ─► take a slot ─► fill ─► enough, or the time is over ─► answer
//	 ▲                                            │
//	 └── an end moved ◄───────────────────────────┘ give the slot back
//
// There are no fetch sessions: each request lists its partitions (KIP-227 lets a
// broker answer with session 0). What is committed is what there is, so that
// both isolation levels read the same (K10): the last stable offset is the high
// watermark, and no transaction was aborted.
type fetching struct {
	*conn
	request  *kmsg.FetchRequest
	answer   *kmsg.FetchResponse
	parts    []fetchPart // in the order of the request
	deadline time.Time
	urgent   bool // a partition has an error: there is no reason to wait
	limit    int  // bytes of records in the answer
	records  uint64
}

// fetchPart is one partition that is asked for.
type fetchPart struct {
	tp     log.TopicPartition
	id     string // the topic's identity that was asked for, if it was
	at     int64
	max    int
	ends   log.Ends
	answer *kmsg.FetchResponseTopicPartition
}

func (c *conn) fetch(r *kmsg.FetchRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrFetchResponse()
	if r.SessionID != 0 {
		answer.ErrorCode = kerr.FetchSessionIDNotFound.Code
		return answer, nil
	}
	wait := min(max(time.Duration(r.MaxWaitMillis)*time.Millisecond, 0), c.limits.MaxWait)
	f := &fetching{conn: c, request: r, answer: answer, deadline: time.Now().Add(wait)}
	f.limit = min(max(int(r.MaxBytes), 0), c.limits.FetchBytes)
	if err := f.prepare(); err != nil {
		return nil, err
	}
	if err := f.run(wait / looks); err != nil {
		return nil, err
	}
	c.stats.records.Add(f.records)
	return answer, nil
}

// looks bounds how often a fetch that found too little looks again while it
// waits: without it a reader that asks for a large least amount would read that
// anew with every commit.
const looks = 16

// prepare makes the answer's partitions.
func (f *fetching) prepare() error {
	for i := range f.request.Topics {
		asked := &f.request.Topics[i]
		t := kmsg.NewFetchResponseTopic()
		t.Topic, t.TopicID = asked.Topic, asked.TopicID
		t.Partitions = make([]kmsg.FetchResponseTopicPartition, len(asked.Partitions))
		named := topicID{name: asked.Topic}
		code := int16(0)
		if f.request.Version >= 13 {
			var err error
			if named, err = f.ids.find(asked.TopicID); errors.Is(err, log.ErrNoTopic) {
				code = kerr.UnknownTopicID.Code
			} else if err != nil {
				return err
			}
		}
		for j := range asked.Partitions {
			f.part(&t.Partitions[j], &asked.Partitions[j], named, code)
		}
		f.answer.Topics = append(f.answer.Topics, t)
	}
	return nil
}

func (f *fetching) part(p *kmsg.FetchResponseTopicPartition, asked *kmsg.FetchRequestTopicPartition, t topicID, code int16) {
	p.Default()
	p.Partition, p.ErrorCode = asked.Partition, code
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = -1, -1, -1
	p.PreferredReadReplica = -1
	p.RecordBatches = []byte{}
	if code != 0 {
		f.urgent = true
		return
	}
	f.parts = append(f.parts, fetchPart{
		tp: log.TopicPartition{Topic: t.name, Partition: asked.Partition}, id: t.text,
		at: asked.FetchOffset, max: max(int(asked.PartitionMaxBytes), 0), answer: p,
	})
}

// run waits until there is enough to answer with, or until the deadline.
func (f *fetching) run(pause time.Duration) error {
	for {
		moved := f.cfg.Log.Moved()
		some, err := f.look()
		if err != nil {
			return err
		}
		enough := f.urgent || f.over()
		if some {
			if enough, err = f.read(enough); err != nil {
				return err
			}
		}
		if enough {
			return nil
		}
		if some {
			f.wait(nil, min(pause, time.Until(f.deadline)))
		}
		f.wait(moved, time.Until(f.deadline))
	}
}

// over reports whether the fetch may not wait any more.
func (f *fetching) over() bool {
	return f.request.MinBytes <= 0 || f.isClosing() || !time.Now().Before(f.deadline)
}

// wait waits until moved is closed, or so long, or until the server stops.
func (f *fetching) wait(moved <-chan struct{}, long time.Duration) {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-moved:
	case <-timer.C:
	case <-f.closing:
	}
}

// look fills in the ends of all partitions, and says whether one has something
// to read.
func (f *fetching) look() (some bool, err error) {
	for i := range f.parts {
		p := &f.parts[i]
		if p.ends, err = f.check(p); err != nil {
			return false, err
		}
		a := p.answer
		if a.ErrorCode != 0 {
			f.urgent = true
			continue
		}
		a.HighWatermark, a.LastStableOffset, a.LogStartOffset = p.ends.Stable, p.ends.Stable, p.ends.Start
		some = some || p.at < p.ends.Stable
	}
	return some, nil
}

// check gives the ends of a partition, and sets the answer's error if there is
// nothing at the place that is asked for.
func (f *fetching) check(p *fetchPart) (log.Ends, error) {
	ends, id, err := f.cfg.Log.Bounds(p.tp)
	gone := errors.Is(err, log.ErrNoTopic)
	switch {
	case gone && p.id == "":
		p.answer.ErrorCode = kerr.UnknownTopicOrPartition.Code
	case gone || err == nil && p.id != "" && p.id != id: // K13
		p.answer.ErrorCode = kerr.UnknownTopicID.Code
	case err != nil:
		return ends, err
	case p.at < ends.Start || p.at > ends.Stable:
		p.answer.ErrorCode = kerr.OffsetOutOfRange.Code
	}
	return ends, nil
}

// read fills a slot, if one is free, and says whether it holds enough.
func (f *fetching) read(whatever bool) (enough bool, err error) {
	if !f.takeSlot(whatever) {
		return true, nil
	}
	if err := f.fill(); err != nil {
		return false, err
	}
	if whatever || len(f.slot.records) >= min(int(f.request.MinBytes), f.limit) {
		return true, nil
	}
	f.drop()
	return false, nil
}

// drop gives the slot back, with what was read into it.
func (f *fetching) drop() {
	for i := range f.parts {
		f.parts[i].answer.RecordBatches = []byte{}
	}
	f.free()
}

// takeSlot waits for a free slot as long as the fetch may wait. Without one the
// answer has no records, and the client asks again.
func (f *fetching) takeSlot(now bool) bool {
	select {
	case f.slot = <-f.slots.free:
		return true
	default:
		if now {
			return false
		}
	}
	timer := time.NewTimer(time.Until(f.deadline))
	defer timer.Stop()
	select {
	case f.slot = <-f.slots.free:
		return true
	case <-timer.C:
	case <-f.closing:
	}
	return false
}

// fill reads all partitions in turn into the slot.
func (f *fetching) fill() error {
	f.slot.records, f.records = f.slot.records[:0], 0
	for i := range f.parts {
		p := &f.parts[i]
		if p.answer.ErrorCode == 0 && p.at < p.ends.Stable {
			if err := f.fillPart(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillPart reads batches of one partition, as many as its and the answer's
// limits take; the first batch of an answer always goes.
func (f *fetching) fillPart(p *fetchPart) error {
	s := f.slot
	begin, next, full := len(s.records), p.at, false
	err := f.cfg.Log.Peek(p.tp, p.at, func(b *embedded.Block) (more bool) {
		if b.First >= p.ends.Stable {
			return false // committed since look
		}
		before := len(s.records)
		if b.Bytes > f.limits.FetchBytes && (before > 0 || !f.slots.enlarge(s)) {
			full = true
			return false
		}
		var n int
		s.records, n = f.batches.appendBlock(s.records, b)
		if before > 0 && len(s.records) > f.limit || before > begin && len(s.records)-begin > p.max {
			s.records, full = s.records[:before], true
			return false
		}
		f.records += uint64(n)
		next = b.Last + 1
		return len(s.records) < f.limit
	})
	if !full && err == nil && next < p.ends.Stable && len(s.records) < f.limit {
		s.records = f.batches.appendMarker(s.records, p.ends.Stable-1)
	}
	if err := f.settle(p, err); err != nil {
		return err
	}
	if p.answer.ErrorCode != 0 {
		s.records = s.records[:begin]
		return nil
	}
	p.answer.RecordBatches = s.records[begin:len(s.records):len(s.records)]
	return nil
}

// settle looks again at what was read: the place may have gone meanwhile, by
// retention or with its topic.
func (f *fetching) settle(p *fetchPart, err error) error {
	if errors.Is(err, log.ErrClosed) {
		return err
	}
	if _, gone := f.check(p); gone != nil {
		return gone
	}
	if err != nil && p.answer.ErrorCode == 0 {
		p.answer.ErrorCode = kerr.KafkaStorageError.Code
		f.refused("", "a partition that cannot be read", err.Error())
	}
	return nil
}
