package jsonb

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// Walk follows a path of keys and places; ok is false where there is nothing.
func (n *Node) Walk(path [][]byte) (at *Node, ok bool) {
	for _, step := range path {
		switch n.Kind {
		case Object:
			n, ok = n.Get(step)
		case Array:
			i, isPlace := placeOf(step)
			if !isPlace {
				return nil, false
			}
			n, ok = n.At(i)
		default:
			return nil, false
		}
		if !ok {
			return nil, false
		}
	}
	return n, true
}

// placeOf reads a place in an array as strtol does: white space in front, a sign.
func placeOf(step []byte) (int, bool) {
	s := string(bytes.TrimLeft(step, " \t\n\v\f\r"))
	i, err := strconv.ParseInt(s, 10, 32)
	return int(i), err == nil
}

// AppendText writes n as ->> does: strings without quotes.
func (n *Node) AppendText(dst []byte) []byte {
	if n.Kind == String {
		return append(dst, n.Text...)
	}
	return n.Append(dst)
}

// Concat is a || b: objects are merged, everything else becomes one array.
func Concat(a, b Node) (Node, error) {
	switch {
	case a.Kind == Object && b.Kind == Object:
		return NewObject(slices.Concat(a.Keys, b.Keys), slices.Concat(a.Elems, b.Elems)), nil
	case a.Kind == Object && b.Scalar() || a.Scalar() && b.Kind == Object:
		return concatScalar(a, b)
	}
	return Node{Kind: Array, Elems: slices.Concat(asElems(a), asElems(b))}, nil
}

func concatScalar(a, b Node) (Node, error) {
	return Node{Kind: Array, Elems: slices.Concat(asElems(a), asElems(b))}, nil
}

func asElems(n Node) []Node {
	if n.Kind == Array {
		return n.Elems
	}
	return []Node{n}
}

// DeleteKeys is n - keys: keys of an object, or equal strings of an array.
func DeleteKeys(n Node, keys [][]byte) (Node, error) {
	if n.Scalar() {
		return n, fault.Parameter("cannot delete from scalar")
	}
	has := func(b []byte) bool {
		return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, b) })
	}
	out := Node{Kind: n.Kind}
	for i, e := range n.Elems {
		if n.Kind == Object && has(n.Keys[i]) || n.Kind == Array && e.Kind == String && has(e.Text) {
			continue
		}
		out.Elems = append(out.Elems, e)
		if n.Kind == Object {
			out.Keys = append(out.Keys, n.Keys[i])
		}
	}
	return out, nil
}

// DeleteAt is n - i: an element of an array.
func DeleteAt(n Node, i int) (Node, error) {
	switch {
	case n.Scalar():
		return n, fault.Parameter("cannot delete from scalar")
	case n.Kind == Object:
		return n, fault.Parameter("cannot delete from object using integer index")
	}
	if i < 0 {
		i += len(n.Elems)
	}
	if i < 0 || i >= len(n.Elems) {
		return n, nil
	}
	return Node{Kind: Array, Elems: slices.Concat(n.Elems[:i], n.Elems[i+1:])}, nil
}

// DeletePath is n #- path.
func DeletePath(n Node, path [][]byte) (Node, error) {
	if n.Scalar() {
		return n, fault.Parameter("cannot delete path in scalar")
	}
	if len(path) == 0 || len(n.Elems) == 0 {
		return n, nil
	}
	i, err := n.find(path[0], 1)
	if err != nil || i < 0 {
		return n, err
	}
	if len(path) == 1 {
		if n.Kind == Array {
			return DeleteAt(n, i)
		}
		return DeleteKeys(n, path[:1])
	}
	if n.Elems[i].Scalar() {
		return n, nil
	}
	changed, err := DeletePath(n.Elems[i], path[1:])
	out := Node{Kind: n.Kind, Keys: n.Keys, Elems: slices.Clone(n.Elems)}
	out.Elems[i] = changed
	return out, err
}

// find gives the place of a step in n, -1 if it is not there; depth counts steps
// for the message.
func (n *Node) find(step []byte, depth int) (int, error) {
	if n.Kind == Object {
		return slices.IndexFunc(n.Keys, func(k []byte) bool { return bytes.Equal(k, step) }), nil
	}
	i, ok := placeOf(step)
	if !ok {
		return -1, fault.New("22P02", "path element at position %d is not an integer", depth)
	}
	if i < 0 {
		i += len(n.Elems)
	}
	if i < 0 || i >= len(n.Elems) {
		return -1, nil
	}
	return i, nil
}

// StripNulls drops the members of objects that are null, at all depths.
func StripNulls(n Node) Node {
	out := Node{Kind: n.Kind, True: n.True, Text: n.Text}
	for i, e := range n.Elems {
		if n.Kind == Object && e.Kind == Null {
			continue
		}
		out.Elems = append(out.Elems, StripNulls(e))
		if n.Kind == Object {
			out.Keys = append(out.Keys, n.Keys[i])
		}
	}
	return out
}
