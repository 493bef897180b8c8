package sql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// Named implements Names.
func (w *world) Named(source, space, name string) error {
	_, err := w.Table(source, space, name)
	return err
}

func TestInspect(t *testing.T) {
	w := shop()
	w.views["viewed"] = "SELECT the text under test"
	w.views["through"] = "SELECT id FROM (SELECT id FROM viewed) AS v"
	for _, c := range []struct {
		text string
		want []string // place, code and a word of each; none: nothing is known to be wrong
	}{
		{"SELECT no, such AS id FROM shop.public.orders WHERE id = 'x'", nil},
		{"SELECT id FROM nosuch.public.a", []string{"1:16 SQL_NAME no table"}},
		{"SELECT id FROM a JOIN b ON a.id = b.id", []string{"1:16 SQL_NAME no view \"a\"", "1:23 SQL_NAME no view \"b\""}},
		{"WITH a AS (SELECT id FROM big_orders) SELECT id FROM a", nil},
		{"SELECT id FROM (WITH a AS (SELECT id FROM big_orders) SELECT id FROM a) AS x JOIN a USING (id)", []string{"1:83 SQL_NAME no view \"a\""}},
		{"SELECT id FROM viewed", []string{"1:16 SQL_NAME viewed → viewed"}},
		{"SELECT id FROM through", []string{"1:16 SQL_NAME viewed → through → viewed"}},
		{"SELECT id FROM loop", nil}, // its own mistake
		{"SELECT total, customer_id AS nope FROM shop.public.orders", []string{"1:1 SQL_KEY `key` names \"id\"", "1:1 SQL_KEY `indexes` names \"id\""}},
		{"SELECT count(*), x::int FROM shop.public.orders", []string{"1:1 SQL_KEY there are count, x", "1:1 SQL_KEY there are count, x"}},
		{"SELECT *, total FROM shop.public.orders", nil},
		{"SELECT id, id FROM shop.public.orders", []string{"1:1 SQL_NAME rename one"}},
		{"SELECT id FROM shop.public.orders WHERE placed < now() AND id > random()", []string{"1:50 SQL_INEXACT now: ", "1:65 SQL_INEXACT random: "}},
		{"SELECT id, CASE WHEN TRUE THEN lower(coalesce(state, clock_timestamp()::text)) END AS c FROM shop.public.orders", []string{"1:54 SQL_INEXACT clock_timestamp: "}},
		{"SELECT id FROM shop.public.orders GROUP BY id HAVING max(age(placed)) > interval '1 day'", []string{"1:58 SQL_INEXACT age(a, b)"}},
		{"SELECT id FROM shop.public.orders WHERE age(placed, placed) > interval '1 day'", nil},
		{"SELECT id, total ^ 2 AS s, ext.f(id) AS f, nothing(id) AS n, text(id) AS t FROM shop.public.orders",
			[]string{"1:18 SQL_INEXACT ^: ", "1:28 SQL_UNSUPPORTED ext.f", "1:44 SQL_TYPE nothing does not exist"}},
		{"SELECT id, mode() AS m FROM shop.public.orders", []string{"1:12 SQL_"}},
		{`SELECT id FROM shop.public.customers WHERE name COLLATE "de_DE" < 'b' OR name COLLATE "C" < 'b'`, []string{`1:49 SQL_INEXACT write COLLATE "C"`}},
		{"SELECT id FROM shop.public.customers WHERE name ~ '(' OR regexp_replace(name, '[', '') = '' OR name ~ 'a+'", []string{"1:51 SQL_TYPE regular expression", "1:79 SQL_TYPE regular expression"}},
		{"SELECT 1 AS id", []string{"1:1 SQL_UNSUPPORTED name a table"}},
		{"SELECT FROM", []string{"1:8 SQL_SYNTAX "}},
	} {
		var list syntax.Errors
		if err := Inspect(c.text, w, Options{Name: "viewed", Key: []string{"id"}, Indexes: [][]string{{"id"}}}); err != nil && !errors.As(err, &list) {
			t.Fatalf("%s\n%v", c.text, err)
		}
		ok := len(list) == len(c.want)
		for i := 0; ok && i < len(list); i++ {
			e := list[i]
			place, rest, _ := strings.Cut(c.want[i], " ")
			code, says, _ := strings.Cut(rest, " ")
			ok = place == fmt.Sprintf("%d:%d", e.Line, e.Column) && strings.HasPrefix(string(e.Code), code) && strings.Contains(e.What+"\n"+e.Mend, says)
		}
		if !ok {
			t.Errorf("%s\nwant %q, have\n%v", c.text, c.want, list)
		}
	}
}

// What is refused without columns, is refused with them as well.
func TestInspectRefusesNoMoreThanCompile(t *testing.T) {
	w := shop()
	for _, r := range refusals {
		if err := Inspect(r.text, w, Options{}); err == nil {
			continue
		}
		if _, err := Compile(r.text, w, Options{}); err == nil {
			t.Errorf("%s\nis refused by Inspect alone", r.text)
		}
	}
	for _, text := range shapes {
		if err := Inspect(text, w, Options{}); err != nil {
			t.Errorf("%s\nis refused by Inspect alone: %v", text, err)
		}
	}
}
