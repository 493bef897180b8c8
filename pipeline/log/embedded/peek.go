package embedded

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// Peeking reads the log for others and holds nothing back: unlike a Reader it
// has no place, so that neither the sweep nor retention waits for whoever reads
// through it. In return nothing says what it missed. It is what the Kafka
// listener stands on, whose readers may be slow, and whose protocol has no word
// for a tombstone that is gone.

// A Block is a run of committed records of one partition that the log took at
// one time. It is valid during the call that it is given to.
type Block struct {
	First, Last int64 // the offsets that it spans; what lay at them may be compacted away
	Time        time.Time
	Records     int
	Bytes       int // of keys, values and headers, roughly

	scan    scanner
	headers *[]log.Header
}

// Next reads the block's next record; false is the end. The record is valid
// until the next call. Its TopicPartition is not set.
func (b *Block) Next(r *log.Record) bool {
	hs, ok := b.scan.record(r, (*b.headers)[:0])
	*b.headers = hs
	r.Time = b.Time
	return ok
}

// Moved is closed when an end of any partition moves next, and when the log
// closes. Get it before looking at the ends.
func (l *Log) Moved() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.moved
}

// Bounds gives the ends of a partition and the identity of its topic; without
// such a partition it is ErrNoTopic.
func (l *Log) Bounds(tp log.TopicPartition) (e log.Ends, topicID string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.aliveLocked(); err != nil {
		return log.Ends{}, "", err
	}
	p := l.partition(tp)
	if p == nil {
		return log.Ends{}, "", log.ErrNoTopic
	}
	return log.Ends{Start: p.start, Stable: p.stable}, p.topic.ID, nil
}

// Peek calls fn for the committed blocks of a partition in their order, from
// the one that holds offset from or follows it, until fn returns false. fn must
// not wait: what it reads lies in an iterator. Several goroutines may peek at
// once.
func (l *Log) Peek(tp log.TopicPartition, from int64, fn func(*Block) bool) error {
	p, stable, done, err := l.peekAt(tp)
	if err != nil {
		return err
	}
	defer done()
	it, err := l.blocks(p, from)
	if err != nil {
		return err
	}
	var headers []log.Header
	for ok := it.First(); ok && err == nil && lastOf(it.Key()) < stable; ok = it.Next() {
		var more bool
		if more, err = peekBlock(it.Value(), lastOf(it.Key()), &headers, fn); !more {
			break
		}
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return fmt.Errorf("read %s at %d: %w", tp, from, err)
	}
	return nil
}

func peekBlock(value []byte, last int64, headers *[]log.Header, fn func(*Block) bool) (more bool, err error) {
	info, rest, err := parseBlock(value)
	if err != nil {
		return false, err
	}
	if last < info.base || last-info.base > math.MaxInt32 {
		return false, errBlock
	}
	b := Block{First: info.base, Last: last, Time: info.time(), Records: info.records, Bytes: len(rest), scan: newScanner(info, rest), headers: headers}
	more = fn(&b)
	if b.scan.failed {
		return false, errBlock
	}
	return more, nil
}

// peekAt finds a partition and begins a call; done ends it.
func (l *Log) peekAt(tp log.TopicPartition) (p *partition, stable int64, done func(), err error) {
	if done, err = l.use(); err != nil {
		return nil, 0, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p = l.partition(tp); p == nil {
		done()
		return nil, 0, nil, fmt.Errorf("%s: %w", tp, log.ErrNoTopic)
	}
	return p, p.stable, done, nil
}

// A Stamp is a record's offset and time.
type Stamp struct {
	Offset int64 // -1: there is no such record
	Time   time.Time
}

// Since finds the first committed record that the log took at t or later.
func (l *Log) Since(tp log.TopicPartition, t time.Time) (Stamp, error) {
	p, stable, done, err := l.peekAt(tp)
	if err != nil {
		return Stamp{}, err
	}
	defer done()
	l.mu.Lock()
	start := p.start
	l.mu.Unlock()
	from, err := l.offsetAt(p, start, stable, t.Add(-time.Microsecond))
	if err != nil {
		return Stamp{}, err
	}
	found := Stamp{Offset: -1}
	err = l.Peek(tp, from, func(b *Block) bool {
		var r log.Record
		for b.Next(&r) {
			if r.Offset >= from {
				found = Stamp{r.Offset, b.Time}
				return false
			}
		}
		return true
	})
	return found, err
}

// Newest finds the newest committed record.
func (l *Log) Newest(tp log.TopicPartition) (Stamp, error) {
	p, stable, done, err := l.peekAt(tp)
	if err != nil {
		return Stamp{}, err
	}
	defer done()
	newest, err := l.newestBlock(p, stable)
	if err != nil {
		return Stamp{}, err
	}
	found := Stamp{Offset: -1}
	if newest.last < 0 {
		return found, nil
	}
	err = l.Peek(tp, newest.base, func(b *Block) bool {
		var r log.Record
		for b.Next(&r) {
			found = Stamp{r.Offset, b.Time}
		}
		return true
	})
	return found, err
}
