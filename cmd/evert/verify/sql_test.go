package verify

import (
	"fmt"
	"testing"

	"github.com/evertdb/evert/configs"
)

func TestDatabaseSQL(t *testing.T) {
	views := map[string]*configs.View{
		"big":   {SQL: `SELECT c.id, count(o.id) AS n FROM shop.public.customers c LEFT JOIN shop.public."Orders" o ON o.customer = c.id GROUP BY c.id`},
		"on":    {SQL: `WITH big2 AS (SELECT * FROM big) SELECT b.id FROM big2 b JOIN big ON big.id = b.id`},
		"hides": {SQL: `WITH big AS (SELECT id FROM shop.s.t) SELECT x.id FROM (SELECT id FROM big UNION ALL SELECT id FROM crm.public.u) AS x`},
		"loop":  {SQL: `SELECT id FROM loop2`},
		"loop2": {SQL: `SELECT id FROM loop`},
		"bad":   {SQL: `SELECT FROM WHERE`},
	}
	for name, want := range map[string]string{
		"big":   `SELECT c.id, count(o.id) AS n FROM public.customers AS c LEFT JOIN public."Orders" AS o ON o.customer = c.id GROUP BY c.id [shop]`,
		"on":    `WITH big2 AS (SELECT * FROM (SELECT c.id, count(o.id) AS n FROM public.customers AS c LEFT JOIN public."Orders" AS o ON o.customer = c.id GROUP BY c.id) AS big) SELECT b.id FROM big2 AS b JOIN (SELECT c.id, count(o.id) AS n FROM public.customers AS c LEFT JOIN public."Orders" AS o ON o.customer = c.id GROUP BY c.id) AS big ON big.id = b.id [shop]`,
		"hides": `WITH big AS (SELECT id FROM s.t) SELECT x.id FROM (SELECT id FROM big UNION ALL SELECT id FROM public.u) AS x [crm shop]`,
		"loop":  "refused", "bad": "refused",
	} {
		text, sources, err := databaseSQL(views, name)
		got := fmt.Sprint(text, " ", sources)
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s (%v)", name, got, want, err)
		}
	}
}
