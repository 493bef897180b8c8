package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A part is a partition that is being read. It belongs to whoever has it: a
// fetcher, the reader while its result is parked, or the assignment on the way
// to a new leader.
//
//	assignment ──► fetcher ──► reader (parked) ─┐
//	    ▲             │ leader moved            │
//	    └─────────────┴─────────────────────────┘
type part struct {
	log.TopicPartition
	id     [16]byte // of the topic when it was assigned (K13)
	leader int32
	epoch  int32
	pos    int64 // where the next fetch begins
	begun  bool  // a fetch was answered: from now on a hole before pos is a gap
	probe  bool  // fetch it alone, to tell a gap from a full response
	tries  int   // questions for a leader since the last answer
	watch  stableWatch
}

// A result is what a fetch said of one partition.
type result struct {
	part                *part
	records             []*kgo.Record
	next, stable, start int64
	of                  *delivery // nil when detached
}

// A delivery is what one fetch brought. The fetcher goes on when all of it was
// taken, so a reader holds one response of each broker at most.
type delivery struct {
	results []*result
	left    int            // results neither finished nor detached; owned by the reader
	away    map[*part]bool // detached; read by the fetcher after done
	done    chan struct{}
}

// detach takes t out of its delivery: its partition is not fetched before the
// rest of t was taken.
func (t *result) detach() {
	if t.of == nil {
		return
	}
	t.of.away[t.part] = true
	t.of.leave()
	t.of = nil
}

// finish says that all of t was taken.
func (t *result) finish(a *assignment) {
	if t.of != nil {
		t.of.leave()
		return
	}
	a.lost <- t.part // capacity for every part
}

func (d *delivery) leave() {
	if d.left--; d.left == 0 {
		close(d.done)
	}
}

// locate finds the leaders of partitions. A topic made a moment ago may not be
// known to every broker yet.
func (l *Log) locate(ctx context.Context, cl *kgo.Client, from log.Offsets) ([]*part, error) {
	for n := 1; ; n++ {
		parts, err := l.locateOnce(ctx, cl, from)
		if err == nil || n > 3 || pipeline.Pause(ctx, backoff(n)) != nil {
			return parts, err
		}
	}
}

func (l *Log) locateOnce(ctx context.Context, cl *kgo.Client, from log.Offsets) ([]*part, error) {
	topics, err := l.describe(ctx, cl, topicNames(from)...)
	if err != nil {
		return nil, fmt.Errorf("find the leaders: %w", err)
	}
	parts := make([]*part, 0, len(from))
	for tp, offset := range from {
		meta, ok := topics[tp.Topic]
		if !ok || tp.Partition < 0 || int(tp.Partition) >= len(meta.partitions) {
			return nil, noTopic(tp)
		}
		at := meta.partitions[tp.Partition]
		parts = append(parts, &part{TopicPartition: tp, id: meta.id, leader: at.leader, epoch: at.epoch, pos: max(offset, 0)})
	}
	return parts, nil
}

func topicNames(offsets log.Offsets) []string {
	names := map[string]struct{}{}
	for tp := range offsets {
		names[tp.Topic] = struct{}{}
	}
	return slices.Sorted(maps.Keys(names))
}

// An assignment is the fetching of a set of partitions.
type assignment struct {
	r          *Reader
	ctx        context.Context
	cancel     context.CancelFunc
	running    sync.WaitGroup
	lost       chan *part // to be sent to their leaders
	deliveries chan *delivery
	failed     chan error         // the first error that repetition does not mend
	fetchers   map[int32]*fetcher // owned by run
}

func startAssignment(r *Reader, parts []*part) *assignment {
	a := &assignment{
		r: r, lost: make(chan *part, len(parts)), deliveries: make(chan *delivery),
		failed: make(chan error, 1), fetchers: map[int32]*fetcher{},
	}
	a.ctx, a.cancel = context.WithCancel(r.ctx)
	a.place(parts, len(parts))
	a.running.Go(func() { a.run(len(parts)) })
	return a
}

func (a *assignment) stop() {
	a.cancel()
	a.running.Wait()
}

// fail ends the assignment with err; only the first counts.
func (a *assignment) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// run sends partitions to their leaders.
func (a *assignment) run(all int) {
	for {
		select {
		case p := <-a.lost:
			a.place(a.route(append(a.more(), p)), all)
		case <-a.ctx.Done():
			return
		}
	}
}

// more takes what else is lost: a leader seldom loses one partition alone.
func (a *assignment) more() (parts []*part) {
	for {
		select {
		case p := <-a.lost:
			parts = append(parts, p)
		default:
			return parts
		}
	}
}

// place gives parts to the fetchers of their leaders.
func (a *assignment) place(parts []*part, all int) {
	byLeader := map[int32][]*part{}
	for _, p := range parts {
		if p.leader < 0 {
			a.lose(p)
			continue
		}
		byLeader[p.leader] = append(byLeader[p.leader], p)
	}
	for leader, parts := range byLeader {
		f := a.fetchers[leader]
		if f == nil {
			f = &fetcher{a: a, node: leader, add: make(chan *part, all), parts: parts, decompressor: kgo.DefaultDecompressor()}
			a.fetchers[leader] = f
			a.running.Go(f.run)
			continue
		}
		for _, p := range parts {
			f.add <- p
		}
	}
}

// lose sends p back for another leader.
func (a *assignment) lose(p *part) {
	p.tries++
	a.lost <- p
}

// route asks for new leaders of those who were lost, and leaves the others.
func (a *assignment) route(parts []*part) []*part {
	tries := 0
	for _, p := range parts {
		tries = max(tries, p.tries)
	}
	if tries == 0 || pipeline.Pause(a.ctx, backoff(tries)) != nil {
		return parts
	}
	names := log.Offsets{}
	for _, p := range parts {
		names[p.TopicPartition] = 0
	}
	topics, err := a.r.log.describe(a.ctx, a.r.cl, topicNames(names)...)
	if err != nil {
		a.r.log.retrying("reader", err)
	}
	return slices.DeleteFunc(parts, func(p *part) bool { return !a.reroute(p, topics, err) })
}

// missingTries is how often a topic may be unknown before it is believed gone.
const missingTries = 5

func (a *assignment) reroute(p *part, topics map[string]topicMeta, err error) bool {
	meta, ok := topics[p.Topic]
	switch {
	case isDenied(err):
		a.fail(a.r.log.cfg.denied("Describe", err, p.Topic))
		return false
	case err != nil || !ok && p.tries < missingTries:
		p.leader = -1
		return true
	case !ok:
		a.fail(&pipeline.Refusal{Code: log.RefuseMissing, Where: p.String(), What: "the topic was deleted while it was read", Err: log.ErrNoTopic, Mend: "restore the topic, or reset the reader"})
		return false
	case meta.id != p.id:
		a.fail(replaced(p.Topic, formatID(meta.id), formatID(p.id)))
		return false
	}
	if int(p.Partition) < len(meta.partitions) {
		p.leader, p.epoch = meta.partitions[p.Partition].leader, meta.partitions[p.Partition].epoch
	}
	return true
}

// stableWatch notices a stable end that stands still below the end of the
// partition for longer than a transaction may take (K09).
type stableWatch struct {
	stable int64
	since  time.Time // zero when nothing is open
	told   bool
}

// overdue reports, once per standstill, that it took too long.
func (w *stableWatch) overdue(stable, end int64, now time.Time, after time.Duration) bool {
	if stable >= end || stable != w.stable || w.since.IsZero() {
		*w = stableWatch{stable: stable}
		if stable < end {
			w.since = now
		}
		return false
	}
	if w.told || now.Sub(w.since) < after {
		return false
	}
	w.told = true
	return true
}
