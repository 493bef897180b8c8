//go:build unix

package store

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// The state of the benchmarks: rows of 166 bytes, as in a view of orders.
const (
	benchKeys  = 500_000
	benchValue = 150
)

func benchKey(dst []byte, n uint64) []byte {
	dst = binary.BigEndian.AppendUint16(dst[:0], 1)
	return binary.BigEndian.AppendUint64(append(dst, 2), n)
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.TempDir()+"/state", thing, Options{Reserve: -1})
	must(b, err)
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	fill(b, s, benchKeys)
	return s
}

// fill puts rows in by one large epoch.
func fill(b *testing.B, s *Store, n uint64) {
	e, err := s.Begin()
	must(b, err)
	value, key := make([]byte, benchValue), []byte(nil)
	for i := range n {
		binary.LittleEndian.PutUint64(value, i*0x9e3779b97f4a7c15)
		key = benchKey(key, i)
		if err := e.Put(key, value); err != nil {
			b.Fatal(err)
		}
	}
	must(b, e.Commit([]byte("filled")))
}

// BenchmarkIngest is a view that is filled.
func BenchmarkIngest(b *testing.B) {
	s, err := Open(b.TempDir()+"/state", thing, Options{Reserve: -1})
	must(b, err)
	defer s.Close()
	report := cpu(b, benchKeys)
	for b.Loop() {
		fill(b, s, benchKeys)
	}
	report()
	b.ReportMetric(float64(b.N)*benchKeys/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkGet reads rows of an epoch in any order, and in that of their keys.
func BenchmarkGet(b *testing.B) {
	s := benchStore(b)
	for _, c := range []struct {
		name string
		next func(r *rand.Rand, i uint64) uint64
	}{
		{"random", func(r *rand.Rand, _ uint64) uint64 { return r.Uint64N(benchKeys) }},
		{"ascending", func(_ *rand.Rand, i uint64) uint64 { return i * 5 % benchKeys }},
	} {
		b.Run(c.name, func(b *testing.B) {
			e, err := s.Begin()
			must(b, err)
			defer e.Discard()
			rng, key, i := rand.New(rand.NewPCG(1, 1)), []byte(nil), uint64(0)
			b.ReportAllocs()
			report := cpu(b, 1)
			for b.Loop() {
				key = benchKey(key, c.next(rng, i))
				if _, _, err := e.Get(key); err != nil {
					b.Fatal(err)
				}
				i++
			}
			report()
		})
	}
}

// BenchmarkScan places a cursor and reads ten rows.
func BenchmarkScan(b *testing.B) {
	s := benchStore(b)
	e, err := s.Begin()
	must(b, err)
	defer e.Discard()
	rng := rand.New(rand.NewPCG(1, 1))
	var low, high []byte
	b.ReportAllocs()
	report := cpu(b, 1)
	for b.Loop() {
		n := rng.Uint64N(benchKeys - 10)
		low, high = benchKey(low, n), benchKey(high, n+10)
		c, err := e.Scan(low, high)
		must(b, err)
		found := 0
		for c.Next() {
			found++
		}
		if err := c.Close(); err != nil || found != 10 {
			b.Fatal(found, err)
		}
	}
	report()
}

// BenchmarkEpoch is epochs of a thousand rows, each read and changed.
func BenchmarkEpoch(b *testing.B) {
	const rows = 1000
	s := benchStore(b)
	rng, value := rand.New(rand.NewPCG(1, 1)), make([]byte, benchValue)
	var key []byte
	b.ReportAllocs()
	report := cpu(b, rows)
	for b.Loop() {
		e, err := s.Begin()
		must(b, err)
		at := rng.Uint64N(benchKeys / 2)
		for range rows {
			at += 1 + rng.Uint64N(benchKeys/2/rows)
			key = benchKey(key, at)
			if _, ok, err := e.Get(key); err != nil || !ok {
				b.Fatal(ok, err)
			}
			if err := e.Put(key, value); err != nil {
				b.Fatal(err)
			}
		}
		must(b, e.Commit(key))
	}
	report()
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
