package transform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A router sends rows of one table to several. The tables that are known are
// there from the beginning; others are made when the first row comes to them, if
// a pattern allows it.
type router struct {
	shape  *schema.Table // of all of them, but for the name
	tables []*schema.Table
	byName map[string]*schema.Table
	allows func(schema, table string) bool // nil: none but those that are known
	most   int
	where  string
	shut   *rowFault // where no row may go
}

func newRouter(shape *schema.Table, where string) *router {
	return &router{shape: shape, byName: map[string]*schema.Table{}, where: where}
}

// longestMade is the longest name that a row may make, in bytes: with prefix and
// suffixes it still is one of a topic.
const longestMade = 100

// plainName reports whether a name that a row made is a topic's as it is: no other
// name comes to the same topic, nor to what lies beside one.
func plainName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != "" && len(s) <= longestMade
}

// know adds a table.
func (r *router) know(space, name string) *schema.Table {
	t := *r.shape
	t.Schema, t.Name = space, name
	r.tables = append(r.tables, &t)
	r.byName[space+"\x00"+name] = &t
	return &t
}

// to gives the table of a name.
func (r *router) to(space, name []byte, out *Out) (*schema.Table, error) {
	var key [256]byte
	k := append(append(append(key[:0], space...), 0), name...)
	if t := r.byName[string(k)]; t != nil {
		return t, nil
	}
	s, n := string(space), string(name)
	switch {
	case r.allows == nil || !r.allows(s, n):
		return nil, r.shut
	case !plainName(s) || !plainName(strings.TrimPrefix(n, eventPrefix)): // X10
		return nil, &rowFault{code: codeRoute, where: r.where, what: "a row would go to a table whose name is made of more than letters, digits, _ and -, or is too long", mend: "make such a name in the expression, or name the table in topics without *"}
	case len(r.tables) >= r.most:
		return nil, &rowFault{code: codeLimit, where: r.where, what: fmt.Sprintf("a row would go to one more than %d topics", r.most), mend: "max_topics: " + fmt.Sprint(10*r.most)}
	}
	t := r.know(s, n)
	return t, out.announce(t)
}

// truncate passes a truncation on to every table, if all of them are known.
func (r *router) truncate(c *pipeline.Change, out *Out) error {
	if r.allows != nil {
		return &rowFault{code: codeTruncate, where: r.where, what: "the table was truncated, and the topics that its rows went to are not all named", mend: "name every topic, without *"}
	}
	for _, t := range slices.Clone(r.tables) {
		next := out.change(c)
		next.Table = t
		if err := out.emit(next); err != nil {
			return err
		}
	}
	return nil
}
