package sql

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReferences(t *testing.T) {
	got, err := Refer(`WITH a AS (SELECT x FROM v1), b AS (SELECT x FROM a JOIN s.p.t ON TRUE)
		SELECT a.x FROM b, a JOIN (SELECT y FROM v2 UNION ALL SELECT y FROM s.p.t) AS q ON q.y = a.x LEFT JOIN crm."P".u USING (x)`)
	want := References{Tables: [][3]string{{"s", "p", "t"}, {"crm", "P", "u"}}, Views: []string{"v1", "v2"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := Refer("SELECT FROM"); err == nil {
		t.Error("a text that cannot be read has references")
	}
}

// Queries of WITH are expanded where they are named; what that comes to is
// bounded (R17).
func TestExpansionIsBounded(t *testing.T) {
	text := "WITH q0 AS (SELECT id FROM shop.public.orders)"
	for i := 1; i < 40; i++ {
		text += strings.NewReplacer("NEW", "q"+string(rune('A'+i)), "OLD", "q"+string(rune('A'+i-1))).Replace(
			`, "NEW" AS (SELECT a.id FROM "OLD" a JOIN "OLD" b ON a.id = b.id)`)
	}
	_, err := Compile(strings.Replace(text, `"qA"`, "q0", 2)+" SELECT id FROM \"qC\"", shop(), Options{})
	if err == nil || !strings.Contains(err.Error(), "more than 1000 times") {
		t.Errorf("2^40 readings of a table were planned: %v", err)
	}
}

// A change of anything that the rows depend on changes the hash, R15.
func TestHash(t *testing.T) {
	compile := func(text string, w *world, o Options) [32]byte {
		v, err := Compile(text, w, o)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		return v.Hash
	}
	text, o := "SELECT id, customer_id, total FROM big_orders WHERE total > 5", Options{Key: []string{"id"}}
	base := compile(text, shop(), o)
	if base != compile("select  id, (customer_id), total\nfrom big_orders where (total > 5) -- the same", shop(), o) {
		t.Error("R15 layout changes the hash")
	}
	otherView, otherType := shop(), shop()
	otherView.views["big_orders"] = strings.Replace(otherView.views["big_orders"], "100", "101", 1)
	orders := *otherType.tables["shop.public.orders"]
	orders.Columns = append(orders.Columns[:0:0], orders.Columns...)
	orders.Columns[2].Type = typeOf("numeric(12,2)")
	otherType.tables["shop.public.orders"] = &orders
	for what, hash := range map[string][32]byte{
		"a constant":           compile(strings.Replace(text, "5", "6", 1), shop(), o),
		"the key":              compile(text, shop(), Options{Key: []string{"id", "total"}}),
		"an index":             compile(text, shop(), Options{Key: []string{"id"}, Indexes: [][]string{{"total"}}}),
		"a view that it reads": compile(text, otherView, o),
		"a column's type":      compile(text, otherType, o),
	} {
		if hash == base {
			t.Errorf("R15 %s does not change the hash", what)
		}
	}
}
