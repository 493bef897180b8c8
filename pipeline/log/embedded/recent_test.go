package embedded

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline/log"
)

// TestRecent reads records of more blocks than are kept, in any order, and by
// offsets that have none: each is what went into its block, long or short, and
// what is kept stays within its bounds.
func TestRecent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks := drawnBlocks(t)
		var c recent
		for range rapid.IntRange(1, 200).Draw(t, "reads") {
			b := blocks[rapid.IntRange(0, len(blocks)-1).Draw(t, "block")]
			b.check(t, &c, rapid.Int64Range(b.base, b.last).Draw(t, "offset"))
		}
		if len(c.blocks) > recentBlocks {
			t.Fatalf("%d blocks are kept", len(c.blocks))
		}
		for _, b := range c.blocks {
			if len(b.copied) > recentBytes || len(b.marks) > b.info.records/markEvery+1 {
				t.Fatalf("a kept block has %d bytes and %d marks for %d records", len(b.copied), len(b.marks), b.info.records)
			}
		}
	})
}

// drawn is a block and what it holds.
type drawn struct {
	base, last int64
	block      []byte
	values     map[int64][]byte
}

func drawnBlocks(t *rapid.T) []drawn {
	var all []drawn
	base := int64(0)
	for range rapid.IntRange(1, 2*recentBlocks).Draw(t, "blocks") {
		d := drawn{base: base, values: map[int64][]byte{}}
		size := rapid.SampledFrom([]int{1, 1, 1, recentBytes}).Draw(t, "size")
		var b builder
		b.begin(base, 1234)
		for range rapid.IntRange(1, 3*markEvery).Draw(t, "records") {
			base += rapid.Int64Range(0, 2).Draw(t, "gap")
			value := bytes.Repeat([]byte{byte(base)}, size)
			b.add(&log.Record{Key: []byte("k"), Value: value}, base)
			d.values[base] = value
			base++
		}
		d.last = base - 1
		d.block = bytes.Clone(b.finish())
		all = append(all, d)
	}
	return all
}

func (d drawn) check(t *rapid.T, c *recent, offset int64) {
	b := c.block(7, offset)
	if b == nil {
		var err error
		if b, err = c.keep(7, d.last, d.block); err != nil {
			t.Fatal(err)
		}
	}
	var r log.Record
	_, ok, err := b.record(offset, &r, nil)
	want, there := d.values[offset]
	if err != nil || ok != there || ok && !bytes.Equal(r.Value, want) {
		t.Fatalf("offset %d: %v, %v; want %v", offset, ok, err, there)
	}
	if c.block(8, offset) != nil {
		t.Fatalf("offset %d of another partition is found in the block", offset)
	}
}

// TestRecentMalformed keeps nothing of a block that cannot be read.
func TestRecentMalformed(t *testing.T) {
	var c recent
	if _, err := c.keep(7, 5, []byte{9}); err == nil {
		t.Fatal("a malformed block is taken")
	}
	if c.block(7, 0) != nil || c.block(7, 5) != nil {
		t.Fatal("a malformed block is found")
	}
}
