package spill

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/dataflow"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newPool(t testing.TB, o Options) *Pool {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	p, err := Open("spill", o)
	must(t, err)
	return p
}

func newSorter(t testing.TB, p *Pool) *Sorter {
	t.Helper()
	s, err := p.NewSorter()
	must(t, err)
	return s.(*Sorter)
}

type entry struct{ key, value []byte }

// drawn gives entries with keys of a kind, in any order, and how they are to
// come back.
func drawn(rng *rand.Rand, n int, key func(*rand.Rand, int) []byte) (list, want []entry) {
	for i := range n {
		v := fmt.Appendf(nil, "%d %0*d", i, rng.IntN(60), 0)
		list = append(list, entry{key(rng, i), v})
	}
	want = slices.Clone(list)
	slices.SortStableFunc(want, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	return list, want
}

var keys = map[string]func(*rand.Rand, int) []byte{
	"ints":            func(r *rand.Rand, _ int) []byte { return binary.BigEndian.AppendUint32([]byte{2, 0x84}, r.Uint32()) },
	"few":             func(r *rand.Rand, _ int) []byte { return []byte{byte(r.IntN(5))} },
	"one":             func(*rand.Rand, int) []byte { return []byte("always the same") },
	"none":            func(*rand.Rand, int) []byte { return nil },
	"rising":          func(_ *rand.Rand, i int) []byte { return fmt.Appendf(nil, "%09d", i) },
	"falling":         func(_ *rand.Rand, i int) []byte { return fmt.Appendf(nil, "%09d", 1<<20-i) },
	"zeros":           func(r *rand.Rand, _ int) []byte { return make([]byte, r.IntN(20)) },
	"long prefixes":   func(r *rand.Rand, _ int) []byte { return fmt.Appendf(nil, "a prefix of some bytes %d", r.IntN(1000)) },
	"any bytes":       func(r *rand.Rand, _ int) []byte { return binary.LittleEndian.AppendUint64(nil, r.Uint64())[:r.IntN(9)] },
	"large and small": func(r *rand.Rand, _ int) []byte { return bytes.Repeat([]byte{byte(r.IntN(3))}, r.IntN(2)*r.IntN(5000)) },
}

// Entries come back by key, equal ones as they were added, from memory and from
// disk, as often as somebody asks.
func TestSorter(t *testing.T) {
	t.Parallel()
	for name, key := range keys {
		for _, memory := range []int64{1, 200 << 10, 1 << 30} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, memory), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, uint64(memory)))
				p := newPool(t, Options{Memory: memory})
				for _, n := range []int{0, 1, 2, 100, 40_000} {
					list, want := drawn(rng, n, key)
					s := newSorter(t, p)
					for _, e := range list {
						must(t, s.Add(e.key, e.value))
					}
					for range 2 {
						c, err := s.Sort()
						must(t, err)
						other, err := s.Sort()
						must(t, err)
						other.Next()
						compare(t, c, want)
						must(t, errors.Join(c.Close(), c.Close(), other.Close()))
					}
					must(t, s.Close())
					must(t, s.Close())
				}
				expectNothingLeft(t, p)
				if runs := p.Stats().Runs; (runs > 0) != (memory < 1<<30) {
					t.Errorf("%d runs were spilled", runs)
				}
			})
		}
	}
}

func compare(t *testing.T, c dataflow.Cursor, want []entry) {
	t.Helper()
	for i, w := range want {
		if !c.Next() {
			t.Fatalf("the end after %d of %d entries: %v", i, len(want), c.Err())
		}
		if !bytes.Equal(c.Key(), w.key) || !bytes.Equal(c.Value(), w.value) {
			t.Fatalf("entry %d of %d is %.20q = %.20q, want %.20q = %.20q", i, len(want), c.Key(), c.Value(), w.key, w.value)
		}
	}
	more, again := c.Next(), c.Next() // the end stays the end
	if more || again || c.Err() != nil {
		t.Fatalf("more than %d entries, %v", len(want), c.Err())
	}
}

// expectNothingLeft looks at what the closed sorters gave back.
func expectNothingLeft(t *testing.T, p *Pool) {
	t.Helper()
	files, err := p.opt.FS.List(p.dir)
	must(t, err)
	if got := p.Stats(); got.MemoryBytes != 0 || got.DiskBytes != 0 || len(files) > 0 {
		t.Errorf("%d bytes of memory and %d of disk are not given back, files %v are left", got.MemoryBytes, got.DiskBytes, files)
	}
}

// Many sorters keep to the memory of their pool, but for the little that each
// may have.
func TestSharedMemory(t *testing.T) {
	t.Parallel()
	const memory, sorters = 1 << 20, 8
	p := newPool(t, Options{Memory: memory})
	list := make([]*Sorter, sorters)
	for i := range list {
		list[i] = newSorter(t, p)
	}
	most := int64(0)
	for n := range 80_000 {
		s := list[n%sorters]
		must(t, s.Add(binary.BigEndian.AppendUint32(nil, uint32(n*7919)), make([]byte, 50)))
		most = max(most, p.Stats().MemoryBytes)
	}
	if bound := int64(memory + sorters*4*minSpill); most > bound || most < memory/2 {
		t.Errorf("%d bytes were in use, of %d", most, memory)
	}
	for _, s := range list {
		c, err := s.Sort()
		must(t, err)
		n := 0
		for before := []byte(nil); c.Next(); n++ {
			if bytes.Compare(before, c.Key()) > 0 {
				t.Fatalf("%x after %x", c.Key(), before)
			}
			before = append(before[:0], c.Key()...)
		}
		if n != 80_000/sorters || c.Err() != nil {
			t.Errorf("%d entries, %v", n, c.Err())
		}
		must(t, s.Close())
	}
	expectNothingLeft(t, p)
}

// A folder that a crash left is emptied (X21).
func TestFolderIsEmptied(t *testing.T) {
	t.Run("X21 after a crash", func(t *testing.T) {
		fs := vfs.NewMem()
		p := newPool(t, Options{FS: fs, Memory: 1})
		s := newSorter(t, p)
		for n := range 20_000 {
			must(t, s.Add(fmt.Append(nil, n), []byte("a row")))
		}
		if files, _ := fs.List("spill"); len(files) != 1 {
			t.Fatalf("there are files %v", files)
		}
		expectNothingLeft(t, newPool(t, Options{FS: fs}))
	})
}

// No wrong byte in a file is taken for an entry.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	p := newPool(t, Options{Memory: 1})
	s := newSorter(t, p)
	defer s.Close()
	list, want := drawn(rng, 30_000, keys["ints"])
	for _, e := range list {
		must(t, s.Add(e.key, e.value))
	}
	for range 100 {
		at, bit := rng.Int64N(s.end), byte(1)<<rng.IntN(8)
		flip(t, s, at, bit)
		c, err := s.Sort()
		if err == nil {
			for c.Next() {
			}
			err = c.Err()
		}
		if !errors.Is(err, ErrDamaged) {
			live := slices.ContainsFunc(s.runs, func(r run) bool { return r.from <= at && at < r.to })
			if live || err != nil {
				t.Errorf("byte %d is wrong: %v", at, err)
			}
		}
		flip(t, s, at, bit)
	}
	c, err := s.Sort()
	must(t, err)
	compare(t, c, want)
}

func flip(t *testing.T, s *Sorter, at int64, bit byte) {
	t.Helper()
	var b [1]byte
	_, err := s.file.ReadAt(b[:], at)
	must(t, err)
	b[0] ^= bit
	_, err = s.file.WriteAt(b[:], at)
	must(t, err)
}

// The bound on files is an error that says so (I9).
func TestDiskBound(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{Memory: 1, Disk: 1 << 20})
	s := newSorter(t, p)
	var err error
	n := 0
	for ; err == nil && n < 1_000_000; n++ {
		err = s.Add(fmt.Append(nil, n), make([]byte, 100))
	}
	if !errors.Is(err, ErrFull) || p.Stats().DiskBytes > 1<<20 {
		t.Errorf("after %d entries: %v, %d bytes", n, err, p.Stats().DiskBytes)
	}
	must(t, s.Close())
	expectNothingLeft(t, p)
}

// FuzzBlock reads any bytes as a run.
func FuzzBlock(f *testing.F) {
	f.Add([]byte{0, 1, 1, 'a', 'b', 1, 1, 0, 'c'})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := blockReader{s: &Sorter{path: "x"}, rest: b}
		for r.next() {
			if len(r.value) > len(b) {
				t.Fatal("a value that is not there")
			}
		}
	})
}

// BenchmarkSort sorts a million entries of an int key and 40 bytes.
func BenchmarkSort(b *testing.B) {
	const n = 1_000_000
	for _, c := range []struct {
		name   string
		memory int64
	}{{"memory", 1 << 30}, {"spilling", 16 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			p, err := Open(b.TempDir()+"/spill", Options{Memory: c.memory})
			must(b, err)
			rng, value := rand.New(rand.NewPCG(1, 1)), make([]byte, 40)
			key := make([]byte, 0, 8)
			b.ReportAllocs()
			for b.Loop() {
				s := newSorter(b, p)
				for range n {
					key = binary.BigEndian.AppendUint32(append(key[:0], 2, 0x84), rng.Uint32())
					if err := s.Add(key, value); err != nil {
						b.Fatal(err)
					}
				}
				it, err := s.Sort()
				must(b, err)
				found := 0
				for it.Next() {
					found++
				}
				if found != n {
					b.Fatal(found)
				}
				must(b, s.Close())
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds()/1e6, "Mentries/s")
		})
	}
}
