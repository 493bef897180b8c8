package pipeline

import (
	"io"
	"iter"

	"github.com/evertdb/evert/schema"
)

// An Aside is a value that is too large to be held in memory, and lies elsewhere. In
// its row stands a value of the same kind with its first bytes, more than
// limits.value_bytes of them: who looks at lengths alone takes it for too large, as it
// is. It is valid as long as the batch of its change, and safe for concurrent use.
type Aside interface {
	// Size is the length of the value, in bytes as Value.Ref has them; of a value that
	// is no text, byte string or JSON about that.
	Size() int64

	// Open gives the bytes of a text, a byte string or JSON from the first on. The
	// caller closes it.
	Open() (io.ReadCloser, error)

	// Load gives the whole value, in memory of its own.
	Load() (schema.Value, error)
}

// An ArrayAside may be an array, and then gives its elements one by one.
type ArrayAside interface {
	Aside

	// Elements gives each element, valid until the next one, or an error at last. It may
	// be gone over again.
	Elements() iter.Seq2[schema.Value, error]
}

// Asides are the values of a change that are not in memory, by column: nil, or past the
// end of the list, is one that is.
type Asides struct {
	Before []Aside
	After  []Aside
}

// set notes a value of a row of n columns.
func set(list []Aside, n, column int, v Aside) []Aside {
	if list == nil {
		list = make([]Aside, n)
	}
	list[column] = v
	return list
}

// SetAside notes that a value of the new row, or of the old one, is not in memory.
func (c *Change) SetAside(old bool, column int, v Aside) {
	if c.Aside == nil {
		c.Aside = &Asides{}
	}
	if old {
		c.Aside.Before = set(c.Aside.Before, len(c.Table.Columns), column, v)
	} else {
		c.Aside.After = set(c.Aside.After, len(c.Table.Columns), column, v)
	}
}

// AsideAfter gives a value of the new row that is not in memory; nil if it is.
func (c *Change) AsideAfter(column int) Aside {
	if c.Aside == nil || column >= len(c.Aside.After) {
		return nil
	}
	return c.Aside.After[column]
}
