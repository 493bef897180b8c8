package query_test

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema"
)

// TestAgainstNaive asks random questions of random rows and compares with what
// looking at every row gives. What needs an index gets the one that the refusal
// names, and is then answered.
func TestAgainstNaive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		indexes := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 3, rapid.ID), 0, 3).Draw(rt, "indexes")
		rows := drawRows(rt)
		q := drawQuestion(rt)
		key := rapid.SampledFrom([][]int{{0}, {2, 0}, {0, 3}}).Draw(rt, "key")
		a, shape, err := ask(t, rows, key, indexes, q)
		if pipeline.CodeOf(err) == query.CodeIndex {
			index := lastIndex(rt, shape, err)
			if a, shape, err = ask(t, rows, key, append(indexes, index), q); err != nil {
				rt.Fatalf("with index %v: %v", index, err)
			}
		}
		if err != nil {
			if pipeline.CodeOf(err) != query.CodeRequest {
				rt.Fatal(err)
			}
			return
		}
		compare(rt, shape, rows, q, a)
	})
}

func ask(t *testing.T, rows []schema.Row, key []int, indexes [][]int, q url.Values) ([][]byte, *query.Shape, error) {
	base := customers(t)
	shape, err := query.NewShape(base.Columns, key, indexes)
	if err != nil {
		t.Fatal(err)
	}
	v := newView(t, shape)
	v.Step(at(1), rows)
	r := query.NewReader(query.Config{})
	defer r.Close()
	var all [][]byte
	for cursor, pages := "", 0; ; pages++ {
		q.Set("cursor", cursor)
		a, err := r.Rows(t.Context(), "v", v, q, query.Wait{})
		if err != nil {
			return nil, shape, err
		}
		if all = append(all, a.Rows...); a.Cursor == "" {
			return all, shape, nil
		}
		if cursor = a.Cursor; pages > len(rows) {
			t.Fatal("the pages have no end")
		}
	}
}

func drawRows(rt *rapid.T) (rows []schema.Row) {
	words := rapid.SampledFrom([]string{"", "a", "b", "ab", "B", "\u00e9"})
	numbers := rapid.SampledFrom([]string{"", "1", "1.0", "2", "-3.5", "NaN", "10"})
	for id := range rapid.IntRange(0, 25).Draw(rt, "rows") {
		rows = append(rows, customer(id, words.Draw(rt, "name"), words.Draw(rt, "city"), numbers.Draw(rt, "spent")))
	}
	return rows
}

var columnNames = []string{"id", "name", "city", "spent"}

func drawQuestion(rt *rapid.T) url.Values {
	q := url.Values{"limit": {strconv.Itoa(rapid.IntRange(1, 7).Draw(rt, "limit"))}}
	operand := map[string][]string{"id": {"3", "7", "12"}, "name": {"a", "b", "ab"}, "city": {"a", "B", "\u00e9"}, "spent": {"1.00", "2", "-3.5", "NaN"}}
	for range rapid.IntRange(0, 3).Draw(rt, "filters") {
		name := rapid.SampledFrom(columnNames).Draw(rt, "column")
		value := rapid.SampledFrom(operand[name]).Draw(rt, "value")
		op := rapid.SampledFrom([]string{"eq", "gt", "gte", "lt", "lte", "in", "is.null", "not.is.null"}).Draw(rt, "op")
		switch op {
		case "is.null", "not.is.null":
			q.Add(name, op)
		case "in":
			q.Add(name, "in.("+value+","+operand[name][0]+")")
		default:
			q.Add(name, op+"."+value)
		}
	}
	var order []string
	for range rapid.IntRange(0, 2).Draw(rt, "order") {
		order = append(order, rapid.SampledFrom(columnNames).Draw(rt, "by")+rapid.SampledFrom([]string{"", ".desc", ".desc"}).Draw(rt, "direction"))
	}
	if len(order) > 0 {
		q.Set("order", strings.Join(order, ","))
	}
	return q
}

// lastIndex reads the index that a refusal adds.
func lastIndex(rt *rapid.T, s *query.Shape, err error) (index []int) {
	text := err.Error()
	text = text[strings.LastIndexByte(text, '[')+1:]
	for name := range strings.SplitSeq(text[:strings.IndexByte(text, ']')], ", ") {
		c := s.Column(name)
		if c < 0 {
			rt.Fatalf("no column %q in %v", name, err)
		}
		index = append(index, c)
	}
	return index
}

// compare checks which rows came, each once, and in which order.
func compare(rt *rapid.T, s *query.Shape, rows []schema.Row, q url.Values, got [][]byte) {
	var want []string
	byText := map[string]schema.Row{}
	for _, row := range rows {
		if matches(s, row, q) {
			text := string(s.AppendRow(nil, row))
			want, byText[text] = append(want, text), row
		}
	}
	var have []string
	for _, g := range got {
		have = append(have, string(g))
	}
	slices.Sort(want)
	sorted := slices.Sorted(slices.Values(have))
	if !slices.Equal(want, sorted) {
		rt.Fatalf("%v\n got %v\nwant %v", q, sorted, want)
	}
	for i := 1; i < len(have); i++ {
		if inOrder(s, byText[have[i-1]], byText[have[i]], q.Get("order")) > 0 {
			rt.Fatalf("%v: row %d and %d are not in order: %v", q, i-1, i, have)
		}
	}
}

func inOrder(s *query.Shape, a, b schema.Row, order string) int {
	for by := range strings.SplitSeq(order, ",") {
		name, desc := strings.CutSuffix(by, ".desc")
		c := s.Column(name)
		if c < 0 {
			return 0
		}
		d := bytes.Compare(s.Encode(c, a[c]), s.Encode(c, b[c]))
		if desc {
			d = -d
		}
		if d != 0 {
			return d
		}
	}
	return 0
}

// matches is SQL's WHERE.
func matches(s *query.Shape, row schema.Row, q url.Values) bool {
	for name, texts := range q {
		c := s.Column(name)
		for _, text := range texts {
			if c >= 0 && !holdsFor(s, c, row[c], text) {
				return false
			}
		}
	}
	return true
}

func holdsFor(s *query.Shape, c int, v schema.Value, text string) bool {
	switch text {
	case "is.null":
		return v.IsNull()
	case "not.is.null":
		return !v.IsNull()
	}
	if v.IsNull() {
		return false
	}
	op, operand, _ := strings.Cut(text, ".")
	for o := range strings.SplitSeq(strings.Trim(operand, "()"), ",") {
		w, how := query.ParseValue(&s.Columns[c].Type, o)
		if how != "" {
			panic(fmt.Sprint(o, how))
		}
		d := bytes.Compare(s.Encode(c, v), s.Encode(c, w))
		switch op {
		case "eq", "in":
			if d == 0 {
				return true
			}
		case "gt":
			return d > 0
		case "gte":
			return d >= 0
		case "lt":
			return d < 0
		case "lte":
			return d <= 0
		}
	}
	return false
}
