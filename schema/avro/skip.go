package avro

import (
	"fmt"

	hamba "github.com/hamba/avro/v2"
)

// A node is a part of a schema that is read over: a foreign source block, a
// transaction block, a field that we do not know.
type node struct {
	typ   hamba.Type
	parts []*node // fields of a record, branches of a union, items of an array, values of a map
	size  int     // of a fixed
}

// maxDepth bounds the nesting of what is read over; a schema may be recursive.
const maxDepth = 64

// newNode compiles schema for reading over. seen holds the records that are
// being compiled, so that recursion ends.
func newNode(schema hamba.Schema, seen map[string]*node) (*node, error) {
	n := &node{typ: schema.Type()}
	switch s := schema.(type) {
	case *hamba.RefSchema:
		if known := seen[s.Schema().FullName()]; known != nil {
			return known, nil
		}
		return newNode(s.Schema(), seen)
	case *hamba.RecordSchema:
		seen[s.FullName()] = n
		for _, f := range s.Fields() {
			if err := n.add(f.Type(), seen); err != nil {
				return nil, err
			}
		}
	case *hamba.UnionSchema:
		for _, t := range s.Types() {
			if err := n.add(t, seen); err != nil {
				return nil, err
			}
		}
	case *hamba.ArraySchema:
		return n, n.add(s.Items(), seen)
	case *hamba.MapSchema:
		return n, n.add(s.Values(), seen)
	case *hamba.FixedSchema:
		n.size = s.Size()
	case *hamba.PrimitiveSchema, *hamba.NullSchema, *hamba.EnumSchema:
	default:
		return nil, fmt.Errorf("schema type %s is not known", schema.Type())
	}
	return n, nil
}

func (n *node) add(schema hamba.Schema, seen map[string]*node) error {
	part, err := newNode(schema, seen)
	n.parts = append(n.parts, part)
	return err
}

// skip reads over one value.
func (n *node) skip(r *reader, depth int) {
	if r.steps--; depth > maxDepth || r.steps < 0 {
		r.fail(errDepth)
	}
	if r.err != nil {
		return
	}
	switch n.typ {
	case hamba.Null:
	case hamba.Boolean:
		r.byte()
	case hamba.Int, hamba.Long, hamba.Enum:
		r.long()
	case hamba.Float:
		r.take(4)
	case hamba.Double:
		r.take(8)
	case hamba.Fixed:
		r.take(int64(n.size))
	case hamba.String, hamba.Bytes:
		r.bytes()
	case hamba.Union:
		n.skipBranch(r, depth)
	case hamba.Record:
		for _, part := range n.parts {
			part.skip(r, depth+1)
		}
	default:
		n.skipBlocks(r, depth)
	}
}

func (n *node) skipBranch(r *reader, depth int) {
	branch := r.long()
	if branch < 0 || branch >= int64(len(n.parts)) {
		r.fail(errBranch)
		return
	}
	n.parts[branch].skip(r, depth+1)
}

// skipBlocks reads over an array or a map.
func (n *node) skipBlocks(r *reader, depth int) {
	for count := r.block(); count > 0; count = r.block() {
		for range count {
			if n.typ == hamba.Map {
				r.bytes()
			}
			n.parts[0].skip(r, depth+1)
			if r.err != nil {
				return
			}
		}
	}
}
