// Package jsonb knows JSON as Postgres does: json keeps its text, jsonb is
// rewritten once, with keys in the order of their length and then their bytes, the
// last of equal keys, numbers as numerics with their scale, and no escapes but
// those that are needed.
package jsonb

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
)

// A Kind is what a node is, in the order in which jsonb sorts.
type Kind uint8

// The kinds of nodes.
const (
	Null Kind = iota
	String
	Number
	Bool
	Array
	Object
)

// kindNames are those of jsonb_typeof.
var kindNames = [...]string{"null", "string", "number", "boolean", "array", "object"}

// String is the name that jsonb_typeof gives.
func (k Kind) String() string { return kindNames[k] }

// A Node is one JSON value. Nodes share bytes with the text they were read from.
type Node struct {
	Kind  Kind
	True  bool
	Text  []byte // strings without escapes; numbers as decimal text
	Raw   []byte // the text it was read from, without white space around it
	Elems []Node // of arrays, and the values of objects
	Keys  [][]byte
}

// Scalar reports whether n is neither array nor object.
func (n *Node) Scalar() bool { return n.Kind < Array }

// Normal appends the text that jsonb_out prints for a JSON text.
func Normal(dst, text []byte) ([]byte, error) {
	n, err := Parse(text)
	if err != nil {
		return dst, err
	}
	return n.Append(dst), nil
}

// Append writes n as jsonb_out does.
func (n *Node) Append(dst []byte) []byte {
	switch n.Kind {
	case Null:
		return append(dst, "null"...)
	case Bool:
		if n.True {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case Number:
		return append(dst, n.Text...)
	case String:
		return AppendString(dst, n.Text)
	case Array:
		dst = append(dst, '[')
		for i := range n.Elems {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = n.Elems[i].Append(dst)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i := range n.Elems {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(AppendString(dst, n.Keys[i]), ": "...)
		dst = n.Elems[i].Append(dst)
	}
	return append(dst, '}')
}

// AppendString writes a JSON string with the escapes that Postgres writes.
func AppendString(dst, s []byte) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < ' ' {
				dst = append(dst, `\u00`...)
				dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}

// Get finds a member of an object.
func (n *Node) Get(key []byte) (*Node, bool) {
	if n.Kind != Object {
		return nil, false
	}
	for i := len(n.Keys) - 1; i >= 0; i-- {
		if bytes.Equal(n.Keys[i], key) {
			return &n.Elems[i], true
		}
	}
	return nil, false
}

// At gives an element of an array, counted from the end if i is negative.
func (n *Node) At(i int) (*Node, bool) {
	if i < 0 {
		i += len(n.Elems)
	}
	if n.Kind != Array || i < 0 || i >= len(n.Elems) {
		return nil, false
	}
	return &n.Elems[i], true
}

// NewObject sorts members as jsonb stores them; of equal keys the last stays.
func NewObject(keys [][]byte, values []Node) Node {
	perm := make([]int, len(keys))
	for i := range perm {
		perm[i] = i
	}
	slices.SortStableFunc(perm, func(a, b int) int { return compareKeys(keys[a], keys[b]) })
	n := Node{Kind: Object}
	for i, p := range perm {
		if i+1 < len(perm) && bytes.Equal(keys[p], keys[perm[i+1]]) {
			continue
		}
		n.Keys = append(n.Keys, keys[p])
		n.Elems = append(n.Elems, values[p])
	}
	return n
}

func compareKeys(a, b []byte) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return bytes.Compare(a, b)
}

// Compare orders two jsonb texts as jsonb_cmp does where the database's collation
// is C: scalars before arrays before objects, but an empty array first of all.
func Compare(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	x, errX := Parse(a)
	y, errY := Parse(b)
	if errX != nil || errY != nil {
		return bytes.Compare(a, b)
	}
	if x.Scalar() || y.Scalar() {
		return compareRoots(&x, &y)
	}
	return compareNodes(&x, &y)
}

// compareRoots compares where one root is a scalar, which Postgres stores as an
// array of one element.
func compareRoots(x, y *Node) int {
	switch {
	case x.Kind == Object:
		return 1
	case y.Kind == Object:
		return -1
	case x.Kind == Array:
		return -compareRoots(y, x)
	case y.Kind == Array && len(y.Elems) == 0:
		return 1
	case y.Kind == Array:
		return -1
	}
	return compareNodes(x, y)
}

func compareNodes(x, y *Node) int {
	if x.Kind != y.Kind {
		return cmp.Compare(x.Kind, y.Kind)
	}
	switch x.Kind {
	case String:
		return bytes.Compare(x.Text, y.Text)
	case Number:
		return decimal.Compare(x.Text, y.Text)
	case Bool:
		return boolInt(x.True) - boolInt(y.True)
	}
	if c := cmp.Compare(len(x.Elems), len(y.Elems)); c != 0 {
		return c
	}
	for i := range x.Elems {
		if x.Kind == Object {
			if c := bytes.Compare(x.Keys[i], y.Keys[i]); c != 0 {
				return c
			}
		}
		if c := compareNodes(&x.Elems[i], &y.Elems[i]); c != 0 {
			return c
		}
	}
	return 0
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Contains is a @> b.
func Contains(a, b *Node) bool {
	switch {
	case a.Kind == Object || b.Kind == Object:
		return a.Kind == b.Kind && deepContains(a, b)
	case a.Scalar() && !b.Scalar():
		return false
	case !b.Scalar():
		return deepContains(a, b)
	case a.Scalar():
		return compareNodes(a, b) == 0
	}
	return hasElement(a, b)
}

func deepContains(a, b *Node) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case Object:
		for i := range b.Elems {
			have, ok := a.Get(b.Keys[i])
			if !ok || !deepContains(have, &b.Elems[i]) {
				return false
			}
		}
		return true
	case Array:
		for i := range b.Elems {
			if !hasElement(a, &b.Elems[i]) {
				return false
			}
		}
		return true
	}
	return compareNodes(a, b) == 0
}

func hasElement(a, e *Node) bool {
	return slices.ContainsFunc(a.Elems, func(have Node) bool { return deepContains(&have, e) })
}

// Exists is a ? key: a key of an object, or a string in an array.
func Exists(a *Node, key []byte) bool {
	switch a.Kind {
	case Object:
		_, ok := a.Get(key)
		return ok
	case Array:
		return slices.ContainsFunc(a.Elems, func(e Node) bool { return e.Kind == String && bytes.Equal(e.Text, key) })
	}
	return a.Kind == String && bytes.Equal(a.Text, key)
}
