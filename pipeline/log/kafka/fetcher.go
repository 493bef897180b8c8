package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchWait is how long a broker holds a fetch without data, and so how long a
// partition that joins in meanwhile waits.
const fetchWait = 500 * time.Millisecond

// A fetcher reads the partitions that one broker leads.
type fetcher struct {
	a            *assignment
	node         int32
	add          chan *part // capacity for every part
	parts        []*part    // owned by run
	decompressor kgo.Decompressor
}

func (f *fetcher) run() {
	for f.gather() {
		resp, err := f.request()
		if err != nil {
			f.scatter(err)
			continue
		}
		if results := f.handle(resp); len(results) > 0 && !f.deliver(results) {
			return
		}
	}
}

// gather waits until there is a partition to read.
func (f *fetcher) gather() bool {
	for {
		select {
		case p := <-f.add:
			f.parts = append(f.parts, p)
			continue
		default:
		}
		if len(f.parts) > 0 {
			return f.a.ctx.Err() == nil
		}
		select {
		case p := <-f.add:
			f.parts = append(f.parts, p)
		case <-f.a.ctx.Done():
			return false
		}
	}
}

// scatter gives up the broker: its partitions may have other leaders.
func (f *fetcher) scatter(err error) {
	if f.a.ctx.Err() != nil {
		return
	}
	f.a.r.log.retrying(fmt.Sprintf("reader at broker %d", f.node), err)
	for _, p := range f.parts {
		f.a.lose(p)
	}
	f.parts = nil
}

func (f *fetcher) request() (*kmsg.FetchResponse, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(fetchWait.Milliseconds())
	req.MinBytes = 1
	req.MaxBytes = int32(f.a.r.log.cfg.Limits.ReadBytes)
	if f.a.r.committed() {
		req.IsolationLevel = 1
	}
	req.SessionEpoch = -1 // no session
	asked := f.asked()
	// Every partition is full before the response is: kfake leaves the aborted
	// transactions out of a response that is full as a whole (K10).
	share := max(req.MaxBytes/int32(2*len(asked)), 1<<20)
	byTopic := map[string]int{}
	for _, p := range asked {
		i, ok := byTopic[p.Topic]
		if !ok {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = p.Topic, p.id
			i = len(req.Topics)
			byTopic[p.Topic] = i
			req.Topics = append(req.Topics, t)
		}
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.CurrentLeaderEpoch, rp.PartitionMaxBytes = p.Partition, p.pos, p.epoch, share
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, rp)
	}
	kresp, err := f.a.r.cl.Broker(int(f.node)).Request(f.a.ctx, req)
	if err != nil {
		return nil, err
	}
	resp := kresp.(*kmsg.FetchResponse)
	return resp, kerr.ErrorForCode(resp.ErrorCode)
}

// asked gives the partitions of the next request: those in doubt alone if there
// are any, else all, in turn first because a response may be full before the
// last.
func (f *fetcher) asked() []*part {
	var doubted []*part
	for _, p := range f.parts {
		if p.probe {
			doubted = append(doubted, p)
		}
	}
	if len(doubted) > 0 {
		return doubted
	}
	f.parts = append(f.parts[1:], f.parts[0])
	return f.parts
}

// handle takes a response apart.
func (f *fetcher) handle(resp *kmsg.FetchResponse) (results []*result) {
	silent := true // no records in it: then it is not full either
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			silent = silent && len(resp.Topics[i].Partitions[j].RecordBatches) == 0
		}
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			p := f.find(t, t.Partitions[j].Partition)
			if p == nil {
				continue
			}
			if r := f.handlePartition(p, &t.Partitions[j], silent); r != nil {
				results = append(results, r)
			}
		}
	}
	return results
}

func (f *fetcher) find(t *kmsg.FetchResponseTopic, partition int32) *part {
	for _, p := range f.parts {
		if p.Partition == partition && (t.Topic != "" && t.Topic == p.Topic || t.Topic == "" && t.TopicID == p.id) {
			return p
		}
	}
	return nil
}

func (f *fetcher) handlePartition(p *part, rp *kmsg.FetchResponseTopicPartition, silent bool) *result {
	switch err := kerr.ErrorForCode(rp.ErrorCode); {
	case err == nil:
		return f.progress(p, rp, silent)
	case err == kerr.OffsetOutOfRange:
		return f.outOfRange(p)
	case isDenied(err):
		f.a.fail(f.a.r.log.cfg.denied("Read", err, p.Topic))
	case kerr.IsRetriable(err) || err == kerr.UnknownTopicID || err == kerr.InconsistentTopicID:
		f.retry(p, err)
	default:
		f.a.fail(fmt.Errorf("read %s at %d: %w", p, p.pos, err))
	}
	return nil
}

// retry gives p up for now: it is asked for again, of the leader of then, after
// a back-off that grows until there is progress.
func (f *fetcher) retry(p *part, err error) {
	f.a.r.log.retrying("reader of "+p.String(), err)
	f.drop(p)
	f.a.lose(p)
}

func (f *fetcher) drop(p *part) {
	for i := range f.parts {
		if f.parts[i] == p {
			f.parts = append(f.parts[:i:i], f.parts[i+1:]...)
			return
		}
	}
}

// progress takes the records and moves on, over aborted, control and compacted
// records too (K22).
func (f *fetcher) progress(p *part, rp *kmsg.FetchResponseTopicPartition, silent bool) *result {
	stable := rp.LastStableOffset
	if !f.a.r.committed() {
		stable = rp.HighWatermark
	}
	got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: p.pos, IsolationLevel: f.a.r.level, Topic: p.Topic, Partition: p.Partition,
	}, rp, f.decompressor, nil)
	if got.Err != nil {
		f.a.fail(fmt.Errorf("read %s at %d: %w", p, p.pos, got.Err))
		return nil
	}
	p.begun, p.tries = true, 0
	if len(rp.RecordBatches) == 0 && p.pos < stable {
		// The broker says that there is something below the stable end and
		// sends nothing: the response was full, or the tail was compacted away.
		// It read the stable end before it read the records, so if the
		// response is not full there are none.
		p.probe = !silent
		if silent {
			next = stable
		}
	} else {
		p.probe = false
	}
	if p.watch.overdue(stable, rp.HighWatermark, time.Now(), 2*f.a.r.log.cfg.TransactionTimeout) {
		f.a.running.Go(func() { f.a.r.log.tellStuck(f.a.ctx, p.TopicPartition) })
	}
	if next <= p.pos {
		return nil
	}
	p.pos = next
	return &result{part: p, records: got.Records, next: next, stable: max(stable, next), start: max(rp.LogStartOffset, 0)}
}

// outOfRange finds out on which side p lies. Below the start it begins there if
// it has read nothing yet. Behind the end, records that were there are gone: the
// partition was truncated (K19).
func (f *fetcher) outOfRange(p *part) *result {
	ends, err := f.bounds(p)
	switch {
	case err != nil:
		f.retry(p, err)
	case p.pos < ends.Start && p.begun:
		f.a.fail(fmt.Errorf("read %s at %d: the topic starts at %d: %w", p, p.pos, ends.Start, log.ErrGap))
	case p.pos < ends.Start:
		p.pos, p.begun = ends.Start, true
		return &result{part: p, next: p.pos, stable: max(ends.Stable, p.pos), start: ends.Start}
	case p.pos > ends.Stable:
		f.a.fail(&pipeline.Refusal{
			Code: codeTruncated, Where: p.String(), What: fmt.Sprintf("the reader stands at %d, behind the end at %d: records that were committed are gone", p.pos, ends.Stable),
			Mend: "evert reset SOURCE --resnapshot --yes   # and set unclean.leader.election.enable=false for the topic",
		})
	default: // by now it is in range, or this broker contradicts itself
		f.retry(p, kerr.OffsetOutOfRange)
	}
	return nil
}

// bounds asks this broker for a partition's bounds.
func (f *fetcher) bounds(p *part) (log.Ends, error) {
	start, err := f.listOffset(p, -2)
	if err != nil {
		return log.Ends{}, err
	}
	end, err := f.listOffset(p, -1)
	return log.Ends{Start: start, Stable: end}, err
}

func (f *fetcher) listOffset(p *part, which int64) (int64, error) {
	ctx, cancel := context.WithTimeout(f.a.ctx, assignTimeout)
	defer cancel()
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = p.Topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = p.Partition, which, p.epoch
	t.Partitions = append(t.Partitions, rp)
	req.Topics = append(req.Topics, t)
	kresp, err := f.a.r.cl.Broker(int(f.node)).Request(ctx, req)
	if err != nil {
		return 0, err
	}
	resp := kresp.(*kmsg.ListOffsetsResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, fmt.Errorf("%s: the broker did not answer", p)
	}
	return resp.Topics[0].Partitions[0].Offset, kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// deliver hands results to the reader and waits until they are taken.
func (f *fetcher) deliver(results []*result) bool {
	d := &delivery{results: results, left: len(results), away: map[*part]bool{}, done: make(chan struct{})}
	for _, r := range results {
		r.of = d
	}
	select {
	case f.a.deliveries <- d:
	case <-f.a.ctx.Done():
		return false
	}
	select {
	case <-d.done:
	case <-f.a.ctx.Done():
		return false
	}
	for p := range d.away {
		f.drop(p)
	}
	return true
}
