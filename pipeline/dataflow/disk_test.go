package dataflow_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/schema"
)

// A place is somewhere a view's state and its deltas may lie.
type place struct {
	env     dataflow.Env
	begin   func() (r dataflow.Reader, w dataflow.Writer, commit func() error)
	entries func() [][]byte // key, value, key, …
}

func inMemory() place {
	m := &dataflow.Memory{}
	return place{
		env: dataflow.Env{NewSorter: dataflow.NewMemorySorter, MaxGroup: 1 << 20},
		begin: func() (dataflow.Reader, dataflow.Writer, func() error) {
			return m, m, func() error { m.Apply(); return nil }
		},
		entries: func() [][]byte { return drained(m.Scan([]byte{0}, []byte{0xff, 0xff})) },
	}
}

// onDisk is a store whose epochs go to files, and sorters that spill as soon as
// they can.
func onDisk(t *testing.T) (place, *spill.Pool) {
	fs := vfs.NewMem()
	pool, err := spill.Open("spill", spill.Options{FS: fs, Memory: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open("state", store.Identity{}, store.Options{FS: fs, EpochBytes: 200, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	begin := func() (dataflow.Reader, dataflow.Writer, func() error) {
		e, err := s.Begin()
		if err != nil {
			t.Fatal(err)
		}
		return e, e, func() error { return e.Commit(nil) }
	}
	entries := func() [][]byte {
		snap, err := s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Release()
		return drained(snap.Scan([]byte{0}, []byte{0xff, 0xff}, false))
	}
	return place{dataflow.Env{NewSorter: pool.NewSorter, MaxGroup: 1 << 20, Workers: 2}, begin, entries}, pool
}

func drained(c dataflow.Cursor, err error) (entries [][]byte) {
	if err != nil {
		return [][]byte{[]byte(err.Error())}
	}
	for c.Next() {
		entries = append(entries, bytes.Clone(c.Key()), bytes.Clone(c.Value()))
	}
	if err := c.Err(); err != nil {
		return [][]byte{[]byte(err.Error())}
	}
	c.Close()
	return entries
}

// compare says whether two places have come to the same.
func compare(mem, disk place, told, changes []string) error {
	if !slices.Equal(told, changes) {
		return fmt.Errorf("R14: the changes are\n%v\nand in memory\n%v", changes, told)
	}
	a, b := mem.entries(), disk.entries()
	if !slices.EqualFunc(a, b, bytes.Equal) {
		return fmt.Errorf("R14: the state has %d entries, in memory %d, or other ones", len(b)/2, len(a)/2)
	}
	return nil
}

// Over the state on Pebble everything is as in memory, byte by byte.
func TestPlansOnDisk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		r := dataflow.Recorded(seed, 30)
		mem := inMemory()
		disk, _ := onDisk(t)
		told, changes := r.Play(t, mem.env, 5, mem.begin), r.Play(t, disk.env, 5, disk.begin)
		if err := compare(mem, disk, told, changes); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// So it is when the deltas of an epoch do not fit into memory.
func TestDocumentsOnDisk(t *testing.T) {
	t.Parallel()
	mem := inMemory()
	disk, pool := onDisk(t)
	if err := compare(mem, disk, traded(t, mem), traded(t, disk)); err != nil {
		t.Error(err)
	}
	if runs := pool.Stats().Runs; runs < 10 {
		t.Errorf("I9: %d runs were spilled: this test shows nothing", runs)
	}
	if used := pool.Stats(); used.MemoryBytes > 0 || used.DiskBytes > 0 {
		t.Errorf("%d bytes of memory and %d of disk are not given back", used.MemoryBytes, used.DiskBytes)
	}
}

// traded fills the view of documents, and changes it a few times.
func traded(t *testing.T, p place) (changes []string) {
	e, err := dataflow.New(dataflow.OrderDocuments(), p.env)
	if err != nil {
		t.Fatal(err)
	}
	c := dataflow.NewCrowd(1, 4000)
	for epoch := range 4 {
		r, w, commit := p.begin()
		if epoch == 0 {
			r = nil
		}
		ep, err := e.Begin(r, w)
		if err != nil {
			t.Fatal(err)
		}
		if epoch == 0 {
			err = c.Tables(func(input int, row schema.Row) error { return ep.Upsert(input, row) })
		}
		for range 200 * min(epoch, 1) {
			if err = c.Transaction(ep); err != nil {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		said, err := dataflow.Told(ep)
		if err != nil {
			t.Fatal(err)
		}
		if err := commit(); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, said...)
	}
	return changes
}
