package capture

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
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

// record gives the encoded event, whatever its size. What is not in memory and lies in
// a record as it is, behind its length, is not brought there: a mark is encoded in its
// place.
func (s *Sink) record(o *outgoing) (content, error) {
	if o.value != nil {
		return inMemory(o.value), nil
	}
	row, marks, err := o.marked()
	if err != nil {
		return content{}, err
	}
	e := *o.e
	e.After = row
	encoded, err := s.value(o.tab, &e)
	if err != nil {
		return content{}, err
	}
	if all, ok := spliced(encoded, marks); ok {
		return all, nil
	}
	for _, m := range marks { // bytes in hex, say
		if row[m.column], err = o.aside(m.column).Load(); err != nil {
			return content{}, err
		}
	}
	encoded, err = s.value(o.tab, &e)
	return inMemory(encoded), err
}

// A mark stands for a value in an encoded row.
type mark struct {
	column int
	text   []byte // behind its length
	value  content
}

// marked gives the new row with marks in place of what is not in memory.
func (o *outgoing) marked() (row schema.Row, marks []mark, err error) {
	row = slices.Clone(o.e.After)
	for i := range row {
		switch v := o.aside(i); {
		case v == nil:
		case !movable(row[i].Kind()):
			if row[i], err = v.Load(); err != nil {
				return nil, nil, err
			}
		default:
			text := []byte(rand.Text())
			marks = append(marks, mark{i, append(binary.AppendVarint(nil, int64(len(text))), text...), o.content(i)})
			row[i] = like(row[i].Kind(), text)
		}
	}
	return row, marks, nil
}

// spliced puts the values in the place of their marks. ok is false if one is not there
// once, as it is.
func spliced(encoded []byte, marks []mark) (all content, ok bool) {
	var parts []content
	slices.SortFunc(marks, func(a, b mark) int { return bytes.Index(encoded, a.text) - bytes.Index(encoded, b.text) })
	for _, m := range marks {
		before, after, found := bytes.Cut(encoded, m.text)
		if !found || bytes.Contains(after, m.text) {
			return all, false
		}
		parts = append(parts, inMemory(binary.AppendVarint(bytes.Clone(before), m.value.size)), m.value)
		encoded = after
	}
	return joined(append(parts, inMemory(encoded))), true
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
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(readers...), closers}, nil
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
