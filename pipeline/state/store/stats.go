package store

import (
	"encoding/binary"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Stats are for metrics. They are cheap to take.
type Stats struct {
	Epoch       uint64
	DiskBytes   uint64        // of its files
	MemoryBytes uint64        // of epochs that are not on disk yet
	CacheHits   int64         // blocks, since the start; of all stores that share the cache
	CacheMisses int64         // as well
	Debt        uint64        // bytes that compactions are behind
	Snapshots   int           // in use or kept
	OldestKept  time.Duration // since when the oldest of them is kept
}

// Stats takes the figures of now.
func (s *Store) Stats() Stats {
	out := s.snapshots.stats()
	if s.alive() != nil {
		return out
	}
	m := s.db.Metrics()
	out.DiskBytes, out.MemoryBytes = m.DiskSpaceUsage(), m.MemTable.Size
	out.CacheHits, out.CacheMisses = m.BlockCache.Hits, m.BlockCache.Misses
	out.Debt = m.Compact.EstimatedDebt
	return out
}

func (x *snapshots) stats() Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := Stats{Epoch: x.newest.epoch, Snapshots: x.live}
	for _, k := range x.kept {
		since := k.kept.Add(-x.store.opt.SnapshotAge)
		out.OldestKept = max(out.OldestKept, x.store.opt.Now().Sub(since))
	}
	return out
}

// Sizes estimates how many bytes the collections from 0 to below n have on disk:
// what is in memory only does not count, and what was overwritten counts until
// it is compacted. It looks into the indexes of files, so it is for people and
// not for metrics.
func (s *Store) Sizes(n int) ([]uint64, error) {
	if err := s.alive(); err != nil {
		return nil, err
	}
	sizes := make([]uint64, n)
	for i := range sizes {
		low, high := collection(i), collection(i+1)
		bytes, err := s.db.EstimateDiskUsage(low, high)
		if err != nil {
			return nil, s.check(err)
		}
		sizes[i] = bytes
	}
	return sizes, nil
}

// Entries estimates how many keys the state has.
func (s *Store) Entries() (uint64, error) {
	if err := s.alive(); err != nil {
		return 0, err
	}
	levels, err := s.db.SSTables(pebble.WithProperties())
	if err != nil {
		return 0, s.check(err)
	}
	var keys uint64
	for _, tables := range levels {
		for _, t := range tables {
			p := t.Properties
			keys += p.NumEntries - min(p.NumEntries, 2*p.NumDeletions)
		}
	}
	return keys, nil
}

func collection(i int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(i)) }
