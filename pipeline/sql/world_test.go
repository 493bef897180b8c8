package sql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// A world is a catalog of tables that are written as "name type [not null] [collate c], …; key".
type world struct {
	tables map[string]*schema.Table
	views  map[string]string
}

func (w *world) Table(source, space, name string) (*schema.Table, error) {
	if t := w.tables[source+"."+space+"."+name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("source %q has no table %q", source, space+"."+name)
}

func (w *world) View(name string) (string, bool) {
	text, ok := w.views[name]
	return text, ok
}

// shop is the world of most tests.
func shop() *world {
	return &world{
		tables: map[string]*schema.Table{
			"shop.public.customers": table("customers", "id", "id integer!, name text, city text:C, vip boolean, code character(4), mail text:nd"),
			"shop.public.orders":    table("orders", "id", "id bigint!, customer_id integer, total numeric(10,2), state text, placed timestamp, sent timestamptz, note jsonb, mood mood"),
			"shop.public.lines":     table("lines", "order_id line", "order_id bigint!, line integer!, sku text, qty integer, price numeric, weight real"),
			"shop.public.loose":     table("loose", "", "a integer"),
			"crm.public.people":     table("people", "id", "id uuid!, name text:C, born date, age smallint, span interval, doc json"),
		},
		views: map[string]string{
			"big_orders":   "SELECT id, customer_id, total FROM shop.public.orders WHERE total > 100",
			"loop":         "SELECT * FROM loop2",
			"loop2":        "SELECT * FROM loop",
			"broken":       "SELECT nothing FROM shop.public.orders",
			"order_totals": "SELECT customer_id, sum(total) AS spent FROM big_orders GROUP BY customer_id",
		},
	}
}

func table(name, key, columns string) *schema.Table {
	t := &schema.Table{Schema: "public", Name: name, Version: 1}
	for _, text := range strings.Split(columns, ", ") {
		text, required := strings.CutSuffix(text, "!")
		text, coll, _ := strings.Cut(text, ":")
		column, typ, _ := strings.Cut(text, " ")
		t.Columns = append(t.Columns, schema.Column{Name: column, Type: typeOf(typ), Nullable: !required, Collation: collationOf(typ, coll)})
	}
	for _, k := range strings.Fields(key) {
		t.Key = append(t.Key, t.Column(k))
	}
	return t
}

func typeOf(name string) schema.Type {
	if name == "mood" {
		return schema.Type{Kind: schema.KindText, Name: "mood", Labels: []string{"sad", "ok", "happy"}, Precision: -1, Scale: -1}
	}
	base, mods, ok := strings.Cut(strings.TrimSuffix(name, ")"), "(")
	var list []int
	for _, m := range strings.Split(mods, ",") {
		if n := 0; ok {
			if _, err := fmt.Sscan(m, &n); err != nil {
				panic(err)
			}
			list = append(list, n)
		}
	}
	t, err := scalar.Named(base, list...)
	if err != nil {
		panic(errors.New(name + ": " + err.Error()))
	}
	return t
}

func collationOf(typ, name string) schema.Collation {
	switch {
	case name == "nd":
		return schema.Collation{Name: "nd", Provider: "i"}
	case name != "":
		return schema.Collation{Name: name, Provider: "c", Deterministic: true}
	case typ == "text" || strings.HasPrefix(typ, "character"):
		return schema.Collation{Name: "default", Provider: "d", Deterministic: true, Pad: strings.HasPrefix(typ, "character(")}
	}
	return schema.Collation{Deterministic: true}
}
