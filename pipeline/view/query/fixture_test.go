package query_test

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/pipeline/view/query/querytest"
	"github.com/evertdb/evert/schema"
)

// newView makes a view whose feed holds a MiB, for as long as a test takes.
func newView(t testing.TB, s *query.Shape) *querytest.View {
	t.Helper()
	v, err := querytest.New(s, query.NewFeed(1<<20, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// numbers is a clock whose positions are numbers.
type numbers struct{ waiting atomic.Int64 }

func (n *numbers) Reached(have, want string) (bool, error) {
	h, err1 := strconv.Atoi(have)
	w, err2 := strconv.Atoi(want)
	return h >= w, errors.Join(err1, err2)
}

func (n *numbers) Hasten(waiting bool) {
	if waiting {
		n.waiting.Add(1)
	} else {
		n.waiting.Add(-1)
	}
}

// at is an epoch at a position of source "s".
func at(number int) query.Epoch {
	return query.Epoch{Version: 7, Number: uint64(number), At: query.Vector{"s": strconv.Itoa(number)}}
}

var (
	typeInt     = schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}
	typeText    = schema.Type{Kind: schema.KindText, Name: "text"}
	typeDecimal = schema.Type{Kind: schema.KindDecimal, Name: "numeric", Precision: -1, Scale: -1}
	typeJSONB   = schema.Type{Kind: schema.KindJSON, Name: "jsonb", Binary: true}
)

// customers is the shape of the view that most tests read.
func customers(t testing.TB, indexes ...[]int) *query.Shape {
	t.Helper()
	s, err := query.NewShape([]schema.Column{
		{Name: "id", Type: typeInt}, {Name: "name", Type: typeText, Nullable: true}, {Name: "city", Type: typeText, Nullable: true},
		{Name: "spent", Type: typeDecimal, Nullable: true}, {Name: "history", Type: typeJSONB, Nullable: true},
	}, []int{0}, indexes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// customer is a row of it; an empty text is NULL.
func customer(id int, name, city, spent string) schema.Row {
	text := func(s string) schema.Value {
		if s == "" {
			return schema.Null()
		}
		return schema.Text([]byte(s))
	}
	amount := schema.Null()
	if spent != "" {
		amount = schema.Decimal([]byte(spent))
	}
	return schema.Row{schema.Int(int64(id)), text(name), text(city), amount, schema.JSON([]byte(`[{"id": ` + strconv.Itoa(id) + `}]`))}
}

func lines(rows [][]byte) string {
	var b strings.Builder
	for _, r := range rows {
		b.Write(r)
		b.WriteByte('\n')
	}
	return b.String()
}
