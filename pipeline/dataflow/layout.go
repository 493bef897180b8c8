package dataflow

import (
	"encoding/binary"
	"errors"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// CollectionKind says what a collection of the state is for.
type CollectionKind uint8

// The kinds of collections, see the package.
const (
	OutputRows CollectionKind = iota + 1
	OutputIndex
	InputRows
	JoinRows
	GroupRows
	GroupValues
)

var collectionKinds = [...]string{
	OutputRows: "output", OutputIndex: "index", InputRows: "input", JoinRows: "join", GroupRows: "group",
	GroupValues: "values",
}

// String is the kind's word, as explain shows it.
func (k CollectionKind) String() string {
	if int(k) >= len(collectionKinds) {
		return "?"
	}
	return collectionKinds[k]
}

// A Collection is one range of the state's keys: those that begin with its
// number, two bytes, big endian.
type Collection struct {
	Number uint16
	Kind   CollectionKind
	Place  int   // of an index or an input: its place in the plan; of an aggregate's values: the aggregate's; else 0
	Node   int   // the node whose rows it holds, by the engine's Nodes
	Key    []int // the node's columns that its keys begin with
}

// Layout gives the collections in the order of their numbers, without gaps.
func (e *Engine) Layout() []Collection { return e.layout }

const collectionBytes = 2

func (e *Engine) collection(kind CollectionKind, place int, v *vertex, key []int) uint16 {
	n := uint16(len(e.layout))
	c := Collection{Number: n, Kind: kind, Place: place, Key: key}
	if v != nil {
		c.Node = v.id
	}
	e.layout = append(e.layout, c)
	return n
}

func appendCollection(dst []byte, n uint16) []byte { return binary.BigEndian.AppendUint16(dst, n) }

// OutputKey appends the state's key of the result row with this key, given in
// the view's key order. Fewer values than the key has columns give what the
// keys of all such rows begin with.
func (e *Engine) OutputKey(dst []byte, key schema.Row) []byte {
	return e.out.key.key.Append(appendCollection(dst, outputCollection), key, places(len(key)))
}

// OutputRow reads a value of the output into dst, as tuple.ReadRow does.
func (e *Engine) OutputRow(value []byte, dst schema.Row) (schema.Row, error) {
	return tuple.ReadRow(value, dst)
}

// Result reads the result row with this key, given in the view's key order. The
// row lives as long as what r gave.
func (e *Engine) Result(r Reader, key schema.Row) (row schema.Row, ok bool, err error) {
	value, ok, err := r.Get(e.OutputKey(nil, key))
	if err != nil || !ok {
		return nil, false, err
	}
	err = e.out.form.read(value, &row)
	return row, err == nil, err
}

// IndexKey appends what the state's keys of all rows begin with that have these
// values in an index of the plan, given in the index's order; fewer values than
// it has columns will do.
func (e *Engine) IndexKey(dst []byte, index int, values schema.Row) []byte {
	x := e.out.indexes[index]
	return x.key.key.Append(appendCollection(dst, x.collection), values, places(len(values)))
}

// IndexedKey appends the state's key of the result row that an entry of an index
// stands for, given its key and value.
func (e *Engine) IndexedKey(dst, key, value []byte) ([]byte, error) {
	n, w := binary.Uvarint(value)
	if w <= 0 || len(key) < collectionBytes || n > uint64(len(key)-collectionBytes) {
		return dst, stateError("an index", errState)
	}
	return append(appendCollection(dst, outputCollection), key[collectionBytes+n:]...), nil
}

// CollectionBounds gives the bounds of all keys of a collection: low is inclusive,
// high exclusive.
func CollectionBounds(number uint16) (low, high []byte) {
	low = appendCollection(nil, number)
	return low, tuple.PrefixEnd(nil, low)
}

// outputCollection is the number of the output.
const outputCollection = 0

// maxCollections leaves the last number to whoever keeps the state.
const maxCollections = 1<<16 - 1

var errManyCollections = errors.New("the plan needs more than 65,535 collections")

func places(n int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}
