package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/diskspace"
)

// Open opens the log in cfg.Dir, or begins one, in these steps: take the
// directory, check its format, open Pebble, read the topics, delete whatever
// lies above the stable ends, start the sweep. Another holder of the directory
// and a newer format are Refusals.
func Open(cfg Config) (*Log, error) {
	cfg = cfg.withDefaults()
	dir, err := lockDirectory(cfg)
	if err != nil {
		return nil, err
	}
	l := newLog(cfg, dir)
	if err := l.call(l.start); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", cfg.Dir, err), dir.release())
	}
	if !cfg.ReadOnly {
		l.sweep = newSweeper(l)
		l.tasks.Go(l.sweep.run)
	}
	return l, nil
}

func (l *Log) start() (err error) {
	options := l.options()
	if l.db, err = pebble.Open(l.dir.file(pebbleFolder), options); err != nil {
		return err
	}
	l.tables = options.MakeWriterOptions(len(options.Levels)-1, l.db.TableFormat())
	if err := l.recover(); err != nil {
		return errors.Join(err, l.db.Close())
	}
	return nil
}

func newLog(cfg Config, dir *directory) *Log {
	l := &Log{
		cfg: cfg, dir: dir,
		closing: make(chan struct{}), dead: make(chan struct{}), moved: make(chan struct{}), making: make(chan struct{}, 1),
		topics: map[string]*topic{}, writers: map[string]*Writer{}, readers: map[*Reader]struct{}{},
	}
	l.disk = &diskspace.Guard{FS: cfg.FS, Dir: cfg.Dir, Reserve: cfg.Reserve, Poll: cfg.DiskPoll, Closing: l.closing, Tell: cfg.Events.full}
	l.fs = l.disk.Wrap()
	l.groups.log = l
	return l
}

// options of Pebble. Rows come in order and blocks are large, so nothing is
// gained by compressing or rewriting them often; see doc.go for what was
// measured.
func (l *Log) options() *pebble.Options {
	o := &pebble.Options{
		FS:                          l.fs,
		ReadOnly:                    l.cfg.ReadOnly,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		Logger:                      logger{l},
		CacheSize:                   l.cfg.Cache,
		MaxOpenFiles:                l.cfg.OpenFiles,
		MemTableSize:                uint64(l.cfg.MemTable),
		MemTableStopWritesThreshold: 3,
		L0CompactionThreshold:       32,
		L0StopWritesThreshold:       64,
		LBaseMaxBytes:               256 << 20,
		FlushSplitBytes:             8 << 20,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { l.background(err) },
			FlushEnd:        func(i pebble.FlushInfo) { l.worked(i.Err) },
			CompactionEnd:   func(i pebble.CompactionInfo) { l.worked(i.Err) },
			DataCorruption:  func(i pebble.DataCorruptionInfo) { l.fail(fmt.Errorf("corruption: %s", i)) },
		},
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	o.Experimental.SpanPolicyFunc = func(start []byte) (pebble.SpanPolicy, []byte, error) {
		return pebble.SpanPolicy{}, []byte{start[0] + 1}, nil // kinds of keys never share a table
	}
	o.TargetFileSizes[0] = 16 << 20
	for i := range o.Levels {
		o.Levels[i].BlockSize = 16 << 10
	}
	return o
}

// recover reads what is there and drops what was never committed.
func (l *Log) recover() error {
	if err := l.readTopics(); err != nil {
		return err
	}
	b := l.db.NewBatch()
	defer b.Close()
	for _, t := range l.topics {
		for _, p := range t.parts {
			if err := l.recoverPartition(p, b); err != nil {
				return fmt.Errorf("%s: %w", p.tp, err)
			}
		}
	}
	if l.cfg.ReadOnly {
		return nil
	}
	if err := l.clearLoads(); err != nil || b.Empty() {
		return err
	}
	return l.db.Apply(b, pebble.Sync)
}

func (l *Log) readTopics() error {
	if v, ok, err := l.get([]byte{kindNextID}); err != nil {
		return err
	} else if ok {
		l.nextID = binary.BigEndian.Uint32(v)
	}
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindTopic}, UpperBound: []byte{kindTopic + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		t, err := parseTopic(it.Value())
		if err != nil {
			return errors.Join(fmt.Errorf("topic %q: %w", it.Key()[1:], err), it.Close())
		}
		l.topics[t.Name] = t
	}
	return it.Close()
}

// recoverPartition reads the ends of p. Blocks above the stable end belong to a
// commit that never was: they go, and the stable end passes their offsets, so
// that these are never used again. All of it happens in b.
func (l *Log) recoverPartition(p *partition, b *pebble.Batch) error {
	stable, _, err := l.get(idKey(kindStable, p.id))
	if err != nil {
		return err
	}
	p.stable = parseInt64(stable)
	h, _, err := l.get(idKey(kindHorizon, p.id))
	if err != nil {
		return err
	}
	p.horizons = parseHorizons(h)
	if !l.cfg.ReadOnly {
		if p.stable, err = l.erase(p, p.stable, p.stable, b); err != nil {
			return err
		}
	}
	p.next = p.stable
	newest, err := l.newestBlock(p, p.stable)
	p.newestAt = newest.at
	p.fresh = max(0, p.stable-p.swept)
	return err
}

// get copies the value of a key.
func (l *Log) get(key []byte) ([]byte, bool, error) {
	v, c, err := l.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	v = append([]byte(nil), v...)
	return v, true, c.Close()
}

// erase takes away the blocks of p from an offset on and their index entries,
// and moves the stable end to next or behind the last block. The index goes
// first, in batches of its own: a crash in between leaves blocks above the
// stable end, and the next Open comes here again. It gives the new stable end.
func (l *Log) erase(p *partition, from, next int64, b *pebble.Batch) (int64, error) {
	it, err := l.blocks(p, from)
	if err != nil {
		return 0, err
	}
	entries := l.db.NewBatch()
	defer entries.Close()
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		next = max(next, lastOf(it.Key())+1)
		if p.topic.Compact {
			err = dropEntries(entries, p, it.Value())
		}
		if err == nil && entries.Len() > batchBytes {
			err = l.db.Apply(entries, pebble.NoSync)
			entries.Reset()
		}
	}
	if err = errors.Join(err, it.Close()); err != nil {
		return 0, err
	}
	if !entries.Empty() {
		if err := l.db.Apply(entries, pebble.NoSync); err != nil {
			return 0, err
		}
	}
	if next == from {
		return from, nil
	}
	if err := b.DeleteRange(blockKey(nil, p.id, from), idKey(kindBlock, p.id+1), nil); err != nil {
		return 0, err
	}
	return next, b.Set(idKey(kindStable, p.id), int64Value(next), nil)
}

// dropEntries deletes the index entries of a block's records.
func dropEntries(b *pebble.Batch, p *partition, block []byte) error {
	info, rest, err := parseBlock(block)
	if err != nil {
		return err
	}
	s := newScanner(info, rest)
	var r log.Record
	var hs []log.Header
	var key []byte
	for ok := true; ok; {
		if hs, ok = s.record(&r, hs[:0]); ok && r.Key != nil {
			key = appendIndexKey(key[:0], p.id, r.Key, r.Offset)
			err = errors.Join(err, b.Delete(key, nil))
		}
	}
	if s.failed {
		err = errBlock
	}
	return err
}

// blocks iterates over the blocks of p that end at or behind an offset.
func (l *Log) blocks(p *partition, from int64) (*pebble.Iterator, error) {
	return l.db.NewIter(&pebble.IterOptions{LowerBound: blockKey(nil, p.id, from), UpperBound: idKey(kindBlock, p.id+1)})
}

// newestInfo is the newest block below an offset: its last offset and time.
type newestInfo struct {
	last int64 // -1 if there is none
	base int64
	at   int64
}

func (l *Log) newestBlock(p *partition, below int64) (newestInfo, error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: idKey(kindBlock, p.id), UpperBound: blockKey(nil, p.id, below)})
	if err != nil {
		return newestInfo{}, err
	}
	n := newestInfo{last: -1}
	if it.Last() {
		var info blockInfo
		info, _, err = parseBlock(it.Value())
		n = newestInfo{lastOf(it.Key()), info.base, info.at}
	}
	return n, errors.Join(err, it.Close())
}

// Writer makes a writer; see log.Log. The older one of the id is fenced and its
// open commit dropped before Writer returns (K05, K07).
func (l *Log) Writer(ctx context.Context, id string) (log.Writer, error) {
	if l.cfg.ReadOnly {
		return nil, fmt.Errorf("writer %q: the log is open for reading only", id)
	}
	return l.newWriter(ctx, id)
}

// Reader makes a reader; see log.Log.
func (l *Log) Reader(context.Context) (log.Reader, error) { return l.newReader() }

// Join takes part in a group; see log.Log. All members are in this process.
func (l *Log) Join(_ context.Context, group string, topics []string) (log.Membership, error) {
	return l.groups.join(group, topics)
}

// Admin manages topics; see log.Log.
func (l *Log) Admin() log.Admin { return admin{l} }
