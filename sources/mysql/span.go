package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// A span is a range of a table's keys whose rows are still to be given. The last one of a
// table has no end, until the reader of its next chunk finds the key at which that chunk
// ends, and tells it before it reads: what lies behind is another reader's at once.
//
//	key ──►  given │ chunk 4 │ given │ chunk 6 │ chunk 7 ┊ free
//	               └──span───┘       └──span───┴──span───┴──span──► no end
//
// Chunks of spans are merged as they come, each by its own snapshot: a row is in one span,
// whatever the order. What is left of a span, when its chunk had too many bytes, is taken
// before a new one is cut off, so that there are never more spans than twice the readers
// and one.
type span struct {
	keyRange
	chunk *chunk // that is read of it, or waits for the stream; nil: it is free
}

// A keyRange lies behind a key, up to another. Keys are terms of SQL.
type keyRange struct {
	After []string `json:"after,omitempty"` // empty: from the first key on
	Until []string `json:"until,omitempty"` // is in it; empty: to the last key
}

// A report is what a reader tells the owner of the stream: where its chunk ends, or that it
// has read it.
type report struct {
	chunk *chunk
	until []string
	read  bool
}

const reportsPerChunk = 2

// spansOf gives the spans of a copy as its state has them, or those of one that begins.
func spansOf(ahead []keyRange) []*span {
	if len(ahead) == 0 {
		return []*span{{}}
	}
	out := make([]*span, len(ahead))
	for i, r := range ahead {
		out[i] = &span{keyRange: r}
	}
	return out
}

func (t *copying) ahead() []keyRange {
	out := make([]keyRange, len(t.spans))
	for i, s := range t.spans {
		out[i] = s.keyRange
	}
	return out
}

// holds reports whether a span is one of the copy's still: it may have begun again, or ended.
func (t *copying) holds(s *span) bool { return slices.Contains(t.spans, s) }

// isRead reports whether a chunk of it is on its way.
func (t *copying) isRead() bool {
	return slices.ContainsFunc(t.spans, func(s *span) bool { return s.chunk != nil })
}

// free gives the first span that nobody reads, or nil, and how many more there are.
func (t *copying) free() (first *span, others int) {
	for _, s := range t.spans {
		switch {
		case s.chunk != nil:
		case first == nil:
			first = s
		default:
			others++
		}
	}
	return first, others
}

// drop ends the window of a span's chunk, which counts no more.
func (t *copying) drop(s *span) {
	k := s.chunk
	s.chunk = nil
	t.rel.windows = slices.DeleteFunc(t.rel.windows, func(w *chunk) bool { return w == k })
}

func (t *copying) dropAll() {
	for _, s := range t.spans {
		t.drop(s)
	}
}

// given takes from a span what a chunk of it has, and reports whether nothing is left of
// any. The last one stays: a state without a span begins at the first key.
func (t *copying) given(s *span, k *chunk) (last bool) {
	switch {
	case k.more:
		s.After = k.last
	case len(t.spans) > 1:
		t.spans = slices.DeleteFunc(t.spans, func(o *span) bool { return o == s })
	default:
		if len(k.last) > 0 {
			s.After = k.last
		}
		return true
	}
	return false
}

// cut ends the span of a chunk where its reader says.
func (c *copies) cut(k *chunk, until []string) {
	for _, t := range c.tables {
		i := slices.IndexFunc(t.spans, func(s *span) bool { return s.chunk == k })
		if i < 0 {
			continue
		}
		s := t.spans[i]
		t.spans = slices.Insert(t.spans, i+1, &span{keyRange: keyRange{After: until, Until: s.Until}})
		s.Until = until
	}
}

// cut finds where a chunk ends, and tells it. One that has fewer rows than it may have ends
// with the table.
func (w *copier) cut(ctx context.Context, k *chunk) error {
	if !k.cuts {
		return nil
	}
	r, err := w.execute(ctx, k.endSQL())
	if err != nil || r.RowNumber() == 0 {
		return err
	}
	var bytes arena.Bytes
	key, row := k.shape.table.Key, make(schema.Row, len(k.shape.columns))
	for n, i := range key {
		if row[i], err = fieldValue(k.shape.codec, i, &r.Values[0][n], &bytes); err != nil {
			return valueRefused(&w.source.config, k.table, "the copy", err)
		}
	}
	until, err := k.shape.keySQL(row, r.Values[0][len(key):])
	if err != nil {
		return valueRefused(&w.source.config, k.table, "the copy", err)
	}
	k.Until = until
	w.source.copies.tell(report{chunk: k, until: until})
	return nil
}

// sql is the statement that reads the rows, in the order of the key.
func (k *chunk) sql() string {
	all := make([]int, len(k.shape.columns))
	for i := range all {
		all[i] = i
	}
	return k.selects(all, strconv.Itoa(k.limit))
}

// endSQL is the statement that reads the key of the last row that a chunk may have.
func (k *chunk) endSQL() string {
	return k.selects(k.shape.table.Key, fmt.Sprintf("1 OFFSET %d", k.limit-1))
}

// selects reads columns of the range in the order of the key. Behind them come the key's
// terms that a row does not tell.
func (k *chunk) selects(columns []int, limit string) string {
	var list []string
	for _, i := range columns {
		list = append(list, k.shape.codec.Select(i, quoteName(k.shape.columns[i].Name)))
	}
	terms := k.shape.keyTerms()
	for n, i := range k.shape.table.Key {
		if losesKey(k.shape.columns[i].Type) {
			list = append(list, terms[n])
		}
	}
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + k.table.sql()
	if conds := append(k.conditions(terms), k.chosen...); len(conds) > 0 {
		sql += " WHERE " + strings.Join(conds, " AND ")
	}
	return sql + " ORDER BY " + strings.Join(terms, ", ") + " LIMIT " + limit
}

func (r *keyRange) conditions(terms []string) (out []string) {
	if len(r.After) > 0 {
		out = append(out, beyond(terms, r.After, ">", ">"))
	}
	if len(r.Until) > 0 {
		out = append(out, beyond(terms, r.Until, "<", "<="))
	}
	return out
}

// beyond is the condition that a key lies on one side of another; last compares its last
// term. It is written so that the servers find the range in the index: a > 1 for (a) > (1),
// and a >= 1 AND (a > 1 OR a = 1 AND (b > 2)) for (a, b) > (1, 2).
func beyond(terms, key []string, side, last string) string {
	if len(terms) == 1 {
		return terms[0] + " " + last + " " + key[0]
	}
	return fmt.Sprintf("%[1]s %[3]s= %[2]s AND (%[1]s %[3]s %[2]s OR %[1]s = %[2]s AND (%[4]s))", terms[0], key[0], side, beyond(terms[1:], key[1:], side, last))
}
