package embedded

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline/log"
)

func TestBlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b builder
		base := rapid.Int64Range(0, 1<<50).Draw(t, "base")
		b.begin(base, 1234)
		var want []log.Record
		offset := base
		for range rapid.IntRange(0, 20).Draw(t, "records") {
			offset += rapid.Int64Range(0, 300).Draw(t, "gap")
			r := log.Record{Offset: offset, Key: nullable(t), Value: nullable(t)}
			for range rapid.IntRange(0, 3).Draw(t, "headers") {
				name := rapid.SampledFrom([]string{log.PosHeader, log.PartHeader, "", "other"}).Draw(t, "name")
				r.Headers = append(r.Headers, log.Header{Key: name, Value: nullable(t)})
			}
			b.add(&r, offset)
			want = append(want, r)
			offset++
		}
		got, ok := scanAll(b.finish())
		if !ok || len(got) != len(want) {
			t.Fatalf("%d records, want %d (%v)", len(got), len(want), ok)
		}
		for i := range want {
			if !equal(got[i], want[i]) {
				t.Fatalf("record %d became %+v, was %+v", i, got[i], want[i])
			}
		}
	})
}

func nullable(t *rapid.T) []byte {
	if rapid.IntRange(0, 4).Draw(t, "nil") == 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")
}

func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func equal(a, b log.Record) bool {
	if a.Offset != b.Offset || !same(a.Key, b.Key) || !same(a.Value, b.Value) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i].Key != b.Headers[i].Key || !same(a.Headers[i].Value, b.Headers[i].Value) {
			return false
		}
	}
	return true
}

func scanAll(block []byte) (all []log.Record, ok bool) {
	info, rest, err := parseBlock(block)
	if err != nil {
		return nil, false
	}
	s := newScanner(info, rest)
	var r log.Record
	for ok := true; ok; {
		if _, ok = s.record(&r, nil); ok {
			all = append(all, r)
		}
	}
	return all, !s.failed
}

// A damaged block is an error and never more.
func FuzzBlock(f *testing.F) {
	var b builder
	b.begin(7, 1)
	b.add(&log.Record{Key: []byte("k"), Headers: []log.Header{{Key: log.PosHeader, Value: []byte{1}}, {Key: "x"}}}, 9)
	b.add(&log.Record{Value: []byte("v")}, 10)
	f.Add(bytes.Clone(b.finish()))
	f.Fuzz(func(t *testing.T, block []byte) {
		all, ok := scanAll(block)
		last := int64(-1)
		for _, r := range all {
			if r.Offset <= last {
				t.Fatalf("offset %d after %d (%v)", r.Offset, last, ok)
			}
			last = r.Offset
		}
	})
}

// Index entries lie in the order of keys, and within a key newest first.
func TestIndexKeyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) ([]byte, int64, []byte) {
			key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 0xfe, 0xff}), 0, 6).Draw(t, name)
			offset := rapid.Int64Range(0, math.MaxInt64).Draw(t, name+" offset")
			return key, offset, appendIndexKey(nil, 5, key, offset)
		}
		a, ao, ae := draw("a")
		b, bo, be := draw("b")
		want := bytes.Compare(a, b)
		if want == 0 {
			want = -cmp(ao, bo)
		}
		if got := bytes.Compare(ae, be); got != want {
			t.Fatalf("%x@%d and %x@%d lie as %d, want %d", a, ao, b, bo, got, want)
		}
		group, offset := splitIndexKey(ae)
		if key := appendGroupKey(nil, group); !bytes.Equal(key, a) || offset != ao {
			t.Fatalf("%x@%d came back as %x@%d", a, ao, key, offset)
		}
		if bytes.Compare(a, b) < 0 && bytes.Compare(afterGroup(bytes.Clone(group)), be) > 0 {
			t.Fatalf("behind %x comes after %x", a, b)
		}
	})
}

func cmp(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Marks are a set of offsets.
func TestMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Int64Range(0, 1000).Draw(t, "from")
		m := newMarks(from, from+rapid.Int64Range(1, 300).Draw(t, "size"))
		set := map[int64]bool{}
		for range rapid.IntRange(0, 50).Draw(t, "marks") {
			o := rapid.Int64Range(0, 1400).Draw(t, "offset")
			if in := o >= m.from && o < m.to; m.set(o) != in {
				t.Fatalf("set %d in [%d, %d)", o, m.from, m.to)
			} else if in {
				set[o] = true
			}
		}
		lo := rapid.Int64Range(0, 1400).Draw(t, "lo")
		hi := rapid.Int64Range(lo, 1400).Draw(t, "hi")
		n := 0
		for o := range set {
			if !m.has(o) {
				t.Fatalf("%d is not marked", o)
			}
			if o >= lo && o < hi {
				n++
			}
		}
		if got := m.between(lo, hi); got != n {
			t.Fatalf("between %d and %d are %d, want %d", lo, hi, got, n)
		}
	})
}
