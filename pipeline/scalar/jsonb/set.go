package jsonb

import (
	"bytes"
	"slices"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// Set is jsonb_set: the value at a path is replaced; where the last step is
// missing it is made if create is set, at the end of an array that is shorter (or
// at its front, counted from the end). A path whose other steps are missing
// changes nothing.
func Set(n Node, path [][]byte, value Node, create bool) (Node, error) {
	switch {
	case n.Scalar():
		return n, fault.Parameter("cannot set path in scalar")
	case len(n.Elems) == 0 && !create, len(path) == 0:
		return n, nil
	}
	return n.set(path, value, create, 1)
}

func (n *Node) set(path [][]byte, value Node, create bool, depth int) (Node, error) {
	at, err := n.find(path[0], depth)
	switch {
	case err != nil:
		return *n, err
	case at < 0 && (!create || len(path) > 1):
		return *n, nil
	case at < 0:
		return n.with(path[0], value), nil
	}
	out := Node{Kind: n.Kind, Keys: n.Keys, Elems: slices.Clone(n.Elems)}
	if len(path) == 1 {
		out.Elems[at] = value
		return out, nil
	}
	if n.Elems[at].Scalar() {
		return *n, nil
	}
	out.Elems[at], err = n.Elems[at].set(path[1:], value, create, depth+1)
	return out, err
}

// with gives n with one more member or element.
func (n *Node) with(step []byte, value Node) Node {
	if n.Kind == Object {
		return NewObject(append(slices.Clone(n.Keys), step), append(slices.Clone(n.Elems), value))
	}
	if i, _ := placeOf(step); i < 0 {
		return Node{Kind: Array, Elems: append([]Node{value}, n.Elems...)}
	}
	return Node{Kind: Array, Elems: append(slices.Clone(n.Elems), value)}
}

// Pretty appends n with a line for each member and element.
func (n *Node) Pretty(dst []byte, depth int) []byte {
	if n.Scalar() {
		return n.Append(dst)
	}
	line := func(dst []byte, depth int) []byte {
		return append(append(dst, '\n'), bytes.Repeat([]byte("    "), depth)...)
	}
	open, end := byte('['), byte(']')
	if n.Kind == Object {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for i := range n.Elems {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = line(dst, depth+1)
		if n.Kind == Object {
			dst = append(AppendString(dst, n.Keys[i]), ": "...)
		}
		dst = n.Elems[i].Pretty(dst, depth+1)
	}
	return append(line(dst, depth), end)
}
