package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/log"
)

// fetchBytes bounds what a reader takes out of Pebble at once, save that one
// block always goes.
const fetchBytes = 1 << 20

// A Reader reads committed records. It fetches some blocks at once and hands
// them out as they are asked for.
type Reader struct {
	log    *Log
	closed chan struct{}

	// Under Log.mu, for the sweep looks here too:
	order  []*place // as assigned; the one that made progress goes last
	limits log.Offsets
	ended  bool

	// Owned by the goroutine of Next:
	from    *place // whose records are in fetched
	fetched []log.Record
	behind  int64 // everything below is fetched
	buf     []byte
	blocks  []int // where each block ends in buf
	headers []log.Header
}

// place is how far a reader is in a partition.
type place struct {
	p     *partition
	at    int64
	known int64 // tombstones below were seen, or lie before the reading began
}

var _ log.Reader = (*Reader)(nil)

func (l *Log) newReader() (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.aliveLocked(); err != nil {
		return nil, err
	}
	r := &Reader{log: l, closed: make(chan struct{})}
	l.readers[r] = struct{}{}
	return r, nil
}

// Assign replaces the assignment and takes the limits away; see log.Reader.
func (r *Reader) Assign(from log.Offsets) error {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	r.order, r.limits, r.fetched, r.from = nil, nil, nil, nil
	for _, tp := range slices.SortedFunc(maps.Keys(from), comparePartitions) {
		p := l.partition(tp)
		if p == nil {
			return fmt.Errorf("assign %s: %w", tp, log.ErrNoTopic)
		}
		r.order = append(r.order, p.place(from[tp]))
	}
	return nil
}

// place begins at an offset. Who begins at the start has missed nothing: the
// records before a dropped tombstone were dropped before it.
func (p *partition) place(from int64) *place {
	if from <= p.start {
		return &place{p: p, at: p.start, known: p.missed}
	}
	return &place{p: p, at: from, known: from}
}

// Limit bounds the reading and pins the limits; see log.Reader.
func (r *Reader) Limit(to log.Offsets) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.limits = maps.Clone(to)
}

// Next waits for progress; see log.Reader.
func (r *Reader) Next(ctx context.Context, max int) (log.Fetch, error) {
	for {
		at, f, moved, err := r.choose()
		if err != nil {
			return log.Fetch{}, err
		}
		if at != nil {
			return r.read(at, f, max)
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return log.Fetch{}, ctx.Err()
		case <-r.closed:
			return log.Fetch{}, log.ErrClosed
		case <-r.log.closing:
			return log.Fetch{}, log.ErrClosed
		case <-r.log.dead:
			return log.Fetch{}, r.log.cause
		}
	}
}

// choose finds the partition that waited longest among those with something to
// read, and how far: Next of the fetch. Without one it gives what to wait for,
// or io.EOF.
func (r *Reader) choose() (*place, log.Fetch, <-chan struct{}, error) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.aliveLocked(); err != nil {
		return nil, log.Fetch{}, nil, err
	}
	if r.ended {
		return nil, log.Fetch{}, nil, log.ErrClosed
	}
	done := true
	for i, at := range r.order {
		to, limited := r.limits[at.p.tp]
		if limited && at.at >= to {
			continue
		}
		done = false
		if err := at.lost(); err != nil {
			return nil, log.Fetch{}, nil, err
		}
		end := at.p.stable
		if limited {
			end = min(end, to)
		}
		if at.at < end {
			copy(r.order[i:], r.order[i+1:])
			r.order[len(r.order)-1] = at
			return at, log.Fetch{TopicPartition: at.p.tp, Next: end, Stable: at.p.stable, Start: at.p.start}, nil, nil
		}
	}
	if done {
		return nil, log.Fetch{}, nil, io.EOF
	}
	return nil, log.Fetch{}, l.moved, nil
}

// lost reports what the reader at this place had to see and cannot any more.
func (at *place) lost() error {
	p := at.p
	switch {
	case p.gone:
		return fmt.Errorf("%s: %w", p.tp, log.ErrNoTopic)
	case at.at < p.start:
		return fmt.Errorf("%s at %d, which now starts at %d: %w", p.tp, at.at, p.start, log.ErrGap)
	case at.at < p.missed && at.known < p.missed: // K17
		return fmt.Errorf("%s at %d, tombstones below %d are gone: %w", p.tp, at.at, p.missed, log.ErrGap)
	case at.at > p.stable && p.owner == nil: // K19
		return fmt.Errorf("%s at %d, which now ends at %d: %w", p.tp, at.at, p.stable, log.ErrGap)
	}
	return nil
}

// read gives records of one partition below f.Next, fetching if none are left.
func (r *Reader) read(at *place, f log.Fetch, max int) (log.Fetch, error) {
	if r.from != at || len(r.fetched) == 0 || r.fetched[0].Offset < at.at {
		if err := r.fetch(at, f.Next, max); err != nil {
			return log.Fetch{}, fmt.Errorf("read %s at %d: %w", at.p.tp, at.at, err)
		}
	}
	n := min(max, len(r.fetched))
	for n > 0 && r.fetched[n-1].Offset >= f.Next {
		n--
	}
	f.Records = r.fetched[:n:n]
	r.fetched = r.fetched[n:]
	f.Next = min(f.Next, r.behind)
	if len(r.fetched) > 0 {
		f.Next = min(f.Next, r.fetched[0].Offset)
	}
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	at.at = f.Next
	return f, nil
}

// fetch reads the blocks that begin below end, as many as max records or
// fetchBytes take, and all records in them from the place on.
func (r *Reader) fetch(at *place, end int64, max int) error {
	done, err := r.log.use()
	if err != nil {
		return err
	}
	defer done()
	it, err := r.log.blocks(at.p, at.at)
	if err != nil {
		return err
	}
	records, headers, err := r.gather(it, end, max)
	if err = errors.Join(err, it.Close()); err != nil {
		return err
	}
	r.from = at
	return r.decode(at, records, headers)
}

// gather copies blocks into buf and counts what is in them.
func (r *Reader) gather(it *pebble.Iterator, end int64, max int) (records, headers int, err error) {
	r.buf, r.blocks = r.buf[:0], r.blocks[:0]
	r.behind = end
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, 0, err
		}
		info, _, err := parseBlock(v)
		if err != nil || info.base >= end {
			return records, headers, err
		}
		if len(r.blocks) > 0 && (records >= max || len(r.buf) >= fetchBytes) {
			r.behind = info.base
			return records, headers, nil
		}
		r.buf = append(r.buf, v...)
		r.blocks = append(r.blocks, len(r.buf))
		records, headers = records+info.records, headers+info.headers
	}
	return records, headers, it.Error()
}

// decode reads the records in buf, which does not move any more.
func (r *Reader) decode(at *place, records, headers int) error {
	r.fetched = slices.Grow(r.fetched[:0], records)
	r.headers = slices.Grow(r.headers[:0], headers)
	begin := 0
	for _, end := range r.blocks {
		info, rest, err := parseBlock(r.buf[begin:end])
		if err != nil {
			return err
		}
		s := newScanner(info, rest)
		rec := log.Record{TopicPartition: at.p.tp, Time: info.time()}
		for ok := true; ok; {
			if r.headers, ok = s.record(&rec, r.headers); ok && rec.Offset >= at.at {
				r.fetched = append(r.fetched, rec)
			}
		}
		if s.failed {
			return errBlock
		}
		begin = end
	}
	return nil
}

// Close frees the reader and its pins; see log.Reader.
func (r *Reader) Close() error {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	if r.ended {
		return nil
	}
	r.ended = true
	close(r.closed)
	delete(r.log.readers, r)
	return nil
}

func comparePartitions(a, b log.TopicPartition) int {
	switch {
	case a.Topic < b.Topic:
		return -1
	case a.Topic > b.Topic:
		return 1
	}
	return int(a.Partition - b.Partition)
}

// pinsLocked gives the lowest limit that a reader has on p, and the lowest
// place of any reader in it; both at most stable.
func (l *Log) pinsLocked(p *partition) (limit, lowest int64) {
	limit, lowest = p.stable, p.stable
	for r := range l.readers {
		for _, at := range r.order {
			if at.p != p {
				continue
			}
			lowest = min(lowest, at.at)
			if to, ok := r.limits[p.tp]; ok {
				limit = min(limit, to)
			}
		}
	}
	return limit, lowest
}
