package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// A content is a run of bytes that may be larger than memory. It is read as often as
// open is called.
type content struct {
	size int64
	open func() (io.ReadCloser, error)
	at   *laid // where it lies in pieces already; nil: nowhere that is known
}

// inMemory is the content of b.
func inMemory(b []byte) content {
	return content{size: int64(len(b)), open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

// sum gives the SHA-256 of all of it.
func (c content) sum() (sum [sha256.Size]byte, err error) {
	r, err := c.open()
	if err != nil {
		return sum, err
	}
	defer r.Close()
	h := sha256.New()
	if n, err := io.Copy(h, r); err != nil {
		return sum, err
	} else if n != c.size {
		return sum, fmt.Errorf("a value of %d bytes has %d", c.size, n)
	}
	return [sha256.Size]byte(h.Sum(sum[:0])), nil
}

// sumText is sum in hex.
func (c content) sumText() (string, error) {
	sum, err := c.sum()
	return hex.EncodeToString(sum[:]), err
}

// aside gives a value of the new row that is not in memory; nil if it is.
func (o *outgoing) aside(column int) pipeline.Aside {
	if v := o.laid(column); v != nil {
		return v
	}
	if v := o.c.AsideAfter(column); v != nil && len(o.e.After[column].Ref()) > o.most {
		return v
	}
	return nil // or another value took its place
}

// isAside reports whether a value of its rows is not in memory.
func (o *outgoing) isAside() bool {
	if o.e.Before != nil && o.c.Aside != nil && o.c.Aside.Before != nil {
		return true
	}
	for i := range o.e.After {
		if o.aside(i) != nil {
			return true
		}
	}
	return false
}

// laid gives a value of the new row that was left where it lies in pieces.
func (o *outgoing) laid(column int) *laid {
	head := o.e.After[column].Ref()
	if column >= len(o.stored) || o.stored[column] == nil || len(head) == 0 || &head[0] != &o.stored[column].head[0] {
		return nil // another value took its place
	}
	return o.stored[column]
}

// length gives the length of a value of the new row.
func (o *outgoing) length(column int) int {
	if v := o.aside(column); v != nil {
		return int(v.Size())
	}
	return len(o.e.After[column].Ref())
}

// content gives the bytes of a text, a byte string or JSON of the new row.
func (o *outgoing) content(column int) content {
	if v := o.aside(column); v != nil {
		return content{v.Size(), v.Open, o.laid(column)}
	}
	return inMemory(o.e.After[column].Ref())
}

// absent is about how many bytes of an event's rows are not in memory.
func (s *Sink) absent(o *outgoing) (n int) {
	for i := range o.e.After {
		if v := o.aside(i); v != nil {
			n += int(v.Size()) - len(o.e.After[i].Ref())
		}
	}
	if o.e.Before == nil || o.c.Aside == nil {
		return n
	}
	for _, v := range o.c.Aside.Before {
		if v != nil {
			n += int(v.Size())
		}
	}
	return n
}

// record gives the encoded event, whatever its size. What is not in memory is encoded
// while it is read, unless it is written as what it stands for.
func (s *Sink) record(o *outgoing) (content, error) {
	if o.value != nil {
		return inMemory(o.value), nil
	}
	row, apart, err := o.apart()
	if err != nil {
		return content{}, err
	}
	e := *o.e
	e.After = row
	around, err := o.tab.codec.Around(&e, apart)
	if err != nil {
		return content{}, fmt.Errorf("table %s: %w", o.tab, err)
	}
	parts := []content{inMemory(avro.AppendWire(nil, o.tab.valueID)), inMemory(around[0])}
	for i, column := range apart {
		value, err := o.encoded(column)
		if err != nil {
			return content{}, err
		}
		parts = append(parts, value, inMemory(around[i+1]))
	}
	return joined(parts), nil
}

// apart gives the new row and those of its columns that are encoded piece by piece. Other
// values that were not in memory are.
func (o *outgoing) apart() (row schema.Row, columns []int, err error) {
	row = slices.Clone(o.e.After)
	for i := range row {
		switch v := o.aside(i); {
		case v == nil:
		case o.isPiecewise(i, v):
			columns = append(columns, i)
		default:
			if row[i], err = v.Load(); err != nil {
				return nil, nil, err
			}
		}
	}
	return row, columns, nil
}

// isPiecewise reports whether a value can be encoded while it is read.
func (o *outgoing) isPiecewise(column int, v pipeline.Aside) bool {
	kind, ok := o.e.After[column].Kind(), true
	if kind == schema.KindArray {
		_, ok = v.(pipeline.ArrayAside)
	}
	return ok && o.tab.codec.IsPiecewise(column)
}

// encoded gives a value that is not in memory as it is in a record.
func (o *outgoing) encoded(column int) (content, error) {
	if o.e.After[column].Kind() == schema.KindArray {
		return o.array(column, o.aside(column).(pipeline.ArrayAside))
	}
	value, codec := o.content(column), o.tab.codec
	open := func() (io.ReadCloser, error) { // does not refer to o, which would make every event one on the heap
		r, err := value.open()
		if err != nil {
			return nil, err
		}
		return opened{codec.EncodedBytes(column, r), r}, nil
	}
	size := codec.EncodedLen(column, int64(o.length(column)))
	return joined([]content{inMemory(binary.AppendVarint(nil, size)), {size: size, open: open}}), nil
}

// array gives an array as it is in a record. It is read for how long it is.
func (o *outgoing) array(column int, a pipeline.ArrayAside) (all content, err error) {
	codec := o.tab.codec
	all.open = func() (io.ReadCloser, error) { return codec.EncodedArray(column, a.Elements()), nil }
	r, err := all.open()
	if err != nil {
		return all, err
	}
	defer r.Close()
	all.size, err = io.Copy(io.Discard, r)
	return all, err
}

// opened is what is read, and what is closed.
type opened struct {
	io.Reader
	io.Closer
}

// joined is one content behind the other.
func joined(parts []content) (all content) {
	for _, p := range parts {
		all.size += p.size
	}
	all.open = func() (io.ReadCloser, error) {
		var readers []io.Reader
		var closers closers
		for _, p := range parts {
			r, err := p.open()
			if err != nil {
				closers.Close()
				return nil, err
			}
			readers, closers = append(readers, r), append(closers, r)
		}
		return opened{io.MultiReader(readers...), closers}, nil
	}
	return all
}

type closers []io.Closer

// Close closes all of them.
func (all closers) Close() error {
	for _, c := range all {
		_ = c.Close() // they were read
	}
	return nil
}
