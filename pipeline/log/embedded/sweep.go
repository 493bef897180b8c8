package embedded

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// The sweep is due on a partition when this many records came since the last
// pass and they are half of what that left, or after idleSweep if there is
// anything to do.
const (
	dueRecords = 10_000
	idleSweep  = 6 * time.Hour
	eraseEvery = 7 * 24 * time.Hour // a pass leaves nothing dead behind when the last that did is so old
)

// sweeper takes away what compaction and retention let go. It is one goroutine,
// works on one partition at a time and at a bounded rate, and holds no lock and
// no long-lived iterator meanwhile, so that nobody waits for it.
type sweeper struct {
	log     *Log
	forced  chan forced
	waiting atomic.Int32 // passes asked for and not begun

	began time.Time // of this run

	// Owned by run:
	passed map[*partition]time.Time // the last pass
	erased map[*partition]time.Time // the last one that left nothing dead; none in this run
	debt   time.Duration            // how long what was done should have taken
	since  time.Time                // when debt was nothing
}

// forced asks for a pass over all partitions of a topic, now.
type forced struct {
	topic *topic
	done  chan error // of one
}

func newSweeper(l *Log) *sweeper {
	return &sweeper{log: l, forced: make(chan forced), passed: map[*partition]time.Time{}, erased: map[*partition]time.Time{}, since: time.Now(), began: time.Now()}
}

func (s *sweeper) run() {
	ticker := time.NewTicker(s.log.cfg.SweepEvery)
	defer ticker.Stop()
	for {
		select {
		case f := <-s.forced:
			f.done <- s.topic(f.topic)
		case <-ticker.C:
			s.round()
		case <-s.log.closing:
			return
		case <-s.log.dead:
			return
		}
	}
}

// force runs passes over a topic and waits for them.
func (s *sweeper) force(ctx context.Context, t *topic) error {
	f := forced{t, make(chan error, 1)}
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	select {
	case s.forced <- f:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.log.closing:
		return log.ErrClosed
	case <-s.log.dead:
		return s.log.cause
	}
	select {
	case err := <-f.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.log.dead:
		return s.log.cause
	}
}

// topic passes over every partition, and once more where tombstones had to wait
// for what they delete to go first.
func (s *sweeper) topic(t *topic) error {
	for _, p := range t.parts {
		again, err := s.partition(p, true)
		if err == nil && again {
			_, err = s.partition(p, true)
		}
		if err != nil {
			return fmt.Errorf("compact %s: %w", p.tp, err)
		}
	}
	return nil
}

// round looks at all partitions once.
func (s *sweeper) round() {
	if s.log.cfg.SweepRate < 0 {
		return
	}
	s.log.mu.Lock()
	var all []*partition
	for _, t := range s.log.topics {
		all = append(all, t.parts...)
	}
	s.log.mu.Unlock()
	for _, p := range all {
		if !s.due(p) {
			continue
		}
		if _, err := s.partition(p, false); err != nil && !s.log.isClosing() {
			s.log.cfg.Events.trouble(fmt.Sprintf("sweep of %s: %s", p.tp, err))
		}
	}
}

func (l *Log) isClosing() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

func (s *sweeper) due(p *partition) bool {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	if !p.topic.Compact {
		return p.topic.Retention >= 0 && p.stable > p.start
	}
	if p.fresh >= max(dueRecords, p.live/2) {
		return true
	}
	last, seen := s.passed[p]
	if !seen {
		s.passed[p] = time.Now()
	}
	return seen && time.Since(last) >= idleSweep
}

// partition makes one pass, and says whether another would do more.
func (s *sweeper) partition(p *partition, force bool) (again bool, err error) {
	done, err := s.log.use()
	if err != nil {
		return false, err
	}
	defer done()
	began := time.Now()
	erase := force || began.Sub(s.began) >= idleSweep && began.Sub(s.erased[p]) >= eraseEvery
	s.passed[p] = began
	swept := Swept{Topic: p.tp.Topic, Partition: p.tp.Partition}
	if p.topic.Compact {
		again, err = (&pass{sweeper: s, p: p, force: force, whole: erase, report: &swept}).run()
	} else {
		err = s.retain(p, &swept)
	}
	if err == nil && erase {
		if err = s.erase(p); err == nil {
			s.erased[p] = began
		}
	}
	if err == nil {
		swept.Took = time.Since(began)
		s.log.cfg.Events.swept(swept)
	}
	return again, err
}

// erase has Pebble write what it holds of a partition anew, without the versions of
// blocks that this pass or one before it replaced: else they lie in its tables for as
// long as nobody writes beside them (X20). Where there are none it has little to do.
func (s *sweeper) erase(p *partition) error {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		select {
		case <-s.log.closing:
			cancel()
		case <-ctx.Done():
		}
	})
	for _, k := range []byte{kindBlock, kindIndex} {
		if err := s.log.db.Compact(ctx, idKey(k, p.id), idKey(k, p.id+1), false); err != nil {
			return err
		}
	}
	return nil
}

// spend accounts for bytes read or written, and sleeps when the rate is
// exceeded, unless somebody waits for a pass. Its error says to stop.
func (s *sweeper) spend(bytes int, force bool) error {
	if s.log.isClosing() {
		return log.ErrClosed
	}
	if force || s.waiting.Load() > 0 {
		return nil
	}
	s.debt += time.Duration(float64(bytes) / float64(s.log.cfg.SweepRate) * float64(time.Second))
	ahead := s.debt - time.Since(s.since)
	if ahead < 0 {
		s.debt, s.since = 0, time.Now()
	}
	if ahead < 20*time.Millisecond {
		return nil
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.log.closing:
		return log.ErrClosed
	}
	return nil
}

// retain moves the start of a partition whose records go by age. The newest
// block stays.
func (s *sweeper) retain(p *partition, report *Swept) error {
	l := s.log
	l.mu.Lock()
	stable, start, retention := p.stable, p.start, p.topic.Retention
	l.mu.Unlock()
	if retention < 0 {
		return nil
	}
	newest, err := l.newestBlock(p, stable)
	if err != nil || newest.last < 0 {
		return err
	}
	to, err := l.offsetAt(p, start, stable, l.cfg.Now().Add(-retention))
	if err != nil {
		return err
	}
	if to = min(to, newest.base); to <= start {
		return nil
	}
	report.Removed = to - start
	return s.cut(p, to)
}

// cut takes away everything below an offset at which a block begins.
func (s *sweeper) cut(p *partition, to int64) error {
	l := s.log
	l.mu.Lock()
	p.start = to
	value := p.horizons.value()
	l.movedLocked()
	l.mu.Unlock()
	b := l.db.NewBatch()
	defer b.Close()
	if err := b.Set(idKey(kindHorizon, p.id), value, nil); err != nil {
		return err
	}
	if err := b.DeleteRange(blockKey(nil, p.id, 0), blockKey(nil, p.id, to), nil); err != nil {
		return err
	}
	return l.db.Apply(b, syncWrites)
}

// offsetAt gives the offset behind all blocks that are not younger than t. Block
// times do not fall within a partition, so this is a search by halves.
func (l *Log) offsetAt(p *partition, from, to int64, t time.Time) (int64, error) {
	limit := t.UnixMicro()
	it, err := l.blocks(p, from)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	var key []byte
	for from < to {
		mid := from + (to-from)/2
		key = blockKey(key[:0], p.id, mid)
		if !it.SeekGE(key) {
			to = mid
			continue
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, err
		}
		info, _, err := parseBlock(v)
		switch {
		case err != nil:
			return 0, err
		case info.base >= to || info.at > limit:
			to = min(mid, max(info.base, from))
		default:
			from = lastOf(it.Key()) + 1
		}
	}
	return min(from, to), it.Error()
}
