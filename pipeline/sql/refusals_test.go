package sql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// refusals are queries with what is said about them: place, code, and a word of
// the message or of the text to write instead.
var refusals = []struct{ text, place, code, says string }{
	// Names.
	{"SELECT a FROM shop.public.orders", "1:8", "SQL_NAME", "there are id, customer_id"},
	{"SELECT x.id FROM shop.public.orders o", "1:8", "SQL_NAME", "there are o"},
	{"SELECT id FROM shop.public.orders o JOIN shop.public.customers c ON c.id = o.customer_id", "1:8", "SQL_NAME", "alias.id"},
	{"SELECT o.id FROM shop.public.orders o JOIN shop.public.customers o ON TRUE", "1:44", "SQL_NAME", "alias"},
	{"SELECT id FROM shop.public.nothing", "1:16", "SQL_NAME", "no table"},
	{"SELECT id FROM nothing", "1:16", "SQL_NAME", "source.schema.table"},
	{"SELECT a FROM shop.public.loose", "1:15", "SQL_NAME", "primary key"},
	{"SELECT * FROM loop", "1:15", "SQL_NAME", "reads itself"},
	{"SELECT * FROM broken", "1:15", "SQL_NAME", "mend it first"},
	{"SELECT id, total AS id FROM shop.public.orders", "1:1", "SQL_NAME", "rename one"},
	{"SELECT id FROM shop.public.orders GROUP BY 2", "1:44", "SQL_NAME", "position 2"},
	{"SELECT o.id FROM shop.public.orders AS o (a, b, c, d, e, f, g, h, i)", "1:67", "SQL_NAME", "more names"},
	{"WITH a AS (SELECT id FROM big_orders), a AS (SELECT id FROM big_orders) SELECT id FROM a", "1:40", "SQL_NAME", "rename one"},

	// Types.
	{"SELECT id FROM shop.public.orders WHERE id", "1:41", "SQL_TYPE", "condition"},
	{"SELECT id + state FROM shop.public.orders", "1:11", "SQL_TYPE", "operator does not exist"},
	{"SELECT nothing(id) FROM shop.public.orders", "1:8", "SQL_TYPE", "does not exist"},
	{"SELECT id, 'x'::integer FROM shop.public.orders", "1:12", "SQL_TYPE", "invalid input syntax"},
	{"SELECT id, id = 'x' FROM shop.public.orders", "1:17", "SQL_TYPE", "invalid input syntax"},
	{"SELECT id, CASE WHEN id = 1 THEN 1 ELSE placed END FROM shop.public.orders", "1:12", "SQL_TYPE", "cannot be matched"},
	{"SELECT id, placed::boolean FROM shop.public.orders", "1:12", "SQL_TYPE", "cannot cast"},
	{"SELECT id, total::nothing FROM shop.public.orders", "1:19", "SQL_TYPE", "does not exist"},
	{"SELECT id, total::crm.nothing FROM shop.public.orders", "1:19", "SQL_TYPE", "no enum"},
	{"SELECT id FROM big_orders UNION ALL SELECT id, total FROM big_orders", "1:27", "SQL_TYPE", "1 and 2"},
	{"SELECT id, ARRAY[] FROM shop.public.orders", "1:12", "SQL_TYPE", "ARRAY[]::text[]"},
	{"SELECT id, length(DISTINCT state) FROM shop.public.orders", "1:12", "SQL_TYPE", "no aggregate"},
	{"SELECT id FROM shop.public.customers WHERE name COLLATE \"C\" = city COLLATE \"POSIX\"", "1:", "SQL_TYPE", "one of them"},
	{"SELECT id, id COLLATE \"C\" FROM shop.public.customers", "1:15", "SQL_TYPE", "leave COLLATE out"},
	{"SELECT max(vip) AS m FROM shop.public.customers", "1:8", "SQL_TYPE", "bool_or"},

	// Groups.
	{"SELECT state, total, count(*) FROM shop.public.orders GROUP BY state", "1:15", "SQL_GROUP", "min(total)"},
	{"SELECT id FROM shop.public.orders WHERE count(*) > 1", "1:41", "SQL_GROUP", "WHERE"},
	{"SELECT max(count(*)) AS m FROM shop.public.orders", "1:12", "SQL_GROUP", "query in FROM"},
	{"SELECT count(*) AS n FROM shop.public.orders GROUP BY 1", "1:55", "SQL_GROUP", "GROUP BY"},
	{"SELECT string_agg(DISTINCT state COLLATE \"C\", ',' ORDER BY id) AS s FROM shop.public.orders", "1:60", "SQL_GROUP", "DISTINCT"},

	// What the rows alone do not settle.
	{"SELECT id FROM shop.public.customers WHERE name < 'b'", "1:49", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT id FROM shop.public.customers WHERE name BETWEEN 'a' AND 'b'", "1:49", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT max(name) AS m FROM shop.public.customers", "1:12", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT greatest(name, 'x') AS g, id FROM shop.public.customers", "1:8", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT string_agg(name, ',' ORDER BY name) AS s FROM shop.public.customers", "1:38", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT string_agg(DISTINCT name, ',') AS s FROM shop.public.customers", "1:8", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT id, upper(name) FROM shop.public.customers", "1:12", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT id, lower(name) FROM shop.public.customers", "1:12", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT id FROM shop.public.customers WHERE name ILIKE 'a%'", "1:49", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT id FROM shop.public.customers WHERE mail = 'x'", "1:49", "SQL_INEXACT", "not deterministic"},
	{"SELECT mail FROM shop.public.customers GROUP BY mail", "1:", "SQL_INEXACT", "not deterministic"},
	{"SELECT DISTINCT mail FROM shop.public.customers", "1:1", "SQL_INEXACT", "not deterministic"},
	{"SELECT count(DISTINCT mail) AS n FROM shop.public.customers", "1:23", "SQL_INEXACT", "not deterministic"},
	{"SELECT id FROM shop.public.customers WHERE mail LIKE 'x%'", "1:49", "SQL_INEXACT", "not deterministic"},
	{"SELECT id, name COLLATE \"de_DE\" AS n FROM shop.public.customers", "1:17", "SQL_INEXACT", `COLLATE "C"`},
	{"SELECT c.id FROM shop.public.customers c JOIN crm.public.people p ON p.name = c.mail", "1:", "SQL_", "C"},
	{"SELECT id, now() FROM shop.public.orders", "1:12", "SQL_INEXACT", "clock"},
	{"SELECT id, random() FROM shop.public.orders", "1:12", "SQL_INEXACT", "chance"},
	{"SELECT id, clock_timestamp() FROM shop.public.orders", "1:12", "SQL_INEXACT", "clock"},
	{"SELECT id, gen_random_uuid() FROM shop.public.orders", "1:12", "SQL_INEXACT", "chance"},
	{"SELECT id, to_tsvector(state) FROM shop.public.orders", "1:12", "SQL_INEXACT", "configuration"},
	{"SELECT id, to_char(sent, 'YYYY') FROM shop.public.orders", "1:12", "SQL_INEXACT", "AT TIME ZONE"},
	{"SELECT id, to_char(age, '999') FROM crm.public.people", "1:12", "SQL_INEXACT", "numeric"},
	{"SELECT id, exp(total) FROM shop.public.orders", "1:12", "SQL_INEXACT", "C library"},
	{"SELECT id, total ^ 2 FROM shop.public.orders", "1:18", "SQL_INEXACT", "C library"},

	// Regular expressions.
	{"SELECT id FROM shop.public.customers WHERE city ~ '(a)\\1'", "1:51", "SQL_INEXACT", "LIKE"},
	{"SELECT id FROM shop.public.customers WHERE city ~* 'a(?=b)'", "1:52", "SQL_INEXACT", "LIKE"},
	{"SELECT id, substring(city FROM 'a.*?b') FROM shop.public.customers", "1:32", "SQL_INEXACT", "LIKE"},
	{"SELECT id, regexp_replace(city, '\\ya', 'x') FROM shop.public.customers", "1:33", "SQL_INEXACT", "LIKE"},
	{"SELECT id FROM shop.public.customers WHERE city ~ name", "1:49", "SQL_INEXACT", "constant"},
	{"SELECT id FROM shop.public.customers WHERE city ~ '(a'", "1:51", "SQL_TYPE", "expression"},
	{"SELECT id FROM shop.public.customers WHERE name ~ 'a'", "1:49", "SQL_INEXACT", `COLLATE "C"`},

	// The session's time zone.
	{"SELECT id, sent::date FROM shop.public.orders", "1:12", "SQL_INEXACT", "AT TIME ZONE"},
	{"SELECT id, sent::text FROM shop.public.orders", "1:12", "SQL_INEXACT", "AT TIME ZONE"},
	{"SELECT id, placed::timestamptz FROM shop.public.orders", "1:12", "SQL_INEXACT", "AT TIME ZONE"},
	{"SELECT id FROM shop.public.orders WHERE sent > placed", "1:46", "SQL_INEXACT", "AT TIME ZONE"},
	{"SELECT id FROM shop.public.orders WHERE sent > '2024-01-01'", "1:48", "SQL_INEXACT", "+00"},
	{"SELECT id, timestamptz '2024-01-01 10:00' AS t FROM shop.public.orders", "1:", "SQL_INEXACT", "+00"},
	{"SELECT id, date_trunc('day', sent) FROM shop.public.orders", "1:12", "SQL_INEXACT", "AT TIME ZONE"},
	{"SELECT id, extract(hour FROM sent) FROM shop.public.orders", "1:12", "SQL_INEXACT", "AT TIME ZONE"},
	{"SELECT id, sent + interval '1 day' FROM shop.public.orders", "1:17", "SQL_INEXACT", "AT TIME ZONE"},

	// Joins and keys.
	{"SELECT o.id, c.id AS cid FROM shop.public.orders o JOIN shop.public.customers c ON o.total > 1", "1:52", "SQL_JOIN", "JOIN … ON"},
	{"SELECT o.id, c.id AS cid FROM shop.public.orders o, shop.public.customers c", "1:53", "SQL_JOIN", "JOIN … ON"},
	{"SELECT o.id FROM shop.public.orders o LEFT JOIN shop.public.customers c ON c.vip", "1:39", "SQL_JOIN", "equality"},
	{"SELECT total FROM shop.public.orders", "1:1", "SQL_KEY", "name the view's `key`"},

	// What a plan has no operator for.
	{"SELECT stddev(total) AS s FROM shop.public.orders", "1:8", "SQL_UNSUPPORTED", "there are count"},
	{"SELECT jsonb_object_agg(id, total) AS s FROM shop.public.orders", "1:8", "SQL_UNSUPPORTED", "there are count"},
	{"SELECT f.g(id) FROM shop.public.orders", "1:8", "SQL_UNSUPPORTED", "not Postgres's own"},
	{"SELECT note FROM shop.public.orders GROUP BY note", "1:", "SQL_UNSUPPORTED", "cast it"},
	{"SELECT DISTINCT doc FROM crm.public.people", "1:1", "SQL_UNSUPPORTED", "cast it"},
	{"SELECT array_agg(id ORDER BY note) AS a FROM shop.public.orders", "1:30", "SQL_UNSUPPORTED", "cast it"},
	{"SELECT 1 AS one", "1:1", "SQL_UNSUPPORTED", "without FROM"},
	{"SELECT o.id FROM shop.public.orders o JOIN crm.public.people USING (id)", "1:69", "SQL_UNSUPPORTED", "write ON"},
}

// R14 what would make two replays differ is among them.
func TestRefusals(t *testing.T) {
	for _, r := range refusals {
		_, err := Compile(r.text, shop(), Options{})
		var list syntax.Errors
		if !errors.As(err, &list) {
			t.Errorf("%s\naccepted, or another error: %v", r.text, err)
			continue
		}
		e := list[0]
		place := fmt.Sprintf("%d:%d", e.Line, e.Column)
		if !strings.HasPrefix(place, r.place) || !strings.HasPrefix(string(e.Code), r.code) || !strings.Contains(e.What+"\n"+e.Mend, r.says) {
			t.Errorf("%s\nwant %s [%s] … %s …, have\n%v", r.text, r.place, r.code, r.says, list)
		}
	}
}

// The text that a refusal offers is accepted.
func TestMendsAreAccepted(t *testing.T) {
	for _, text := range []string{
		`SELECT id FROM shop.public.customers WHERE name COLLATE "C" < 'b'`,
		`SELECT id FROM shop.public.customers WHERE city < 'b'`,
		`SELECT max(name COLLATE "C") AS m FROM shop.public.customers`,
		`SELECT string_agg(name, ',' ORDER BY name COLLATE "C", id) AS s FROM shop.public.customers`,
		`SELECT id, upper(name COLLATE "C") FROM shop.public.customers`,
		`SELECT id FROM shop.public.customers WHERE mail COLLATE "C" = 'x'`,
		`SELECT id, (sent AT TIME ZONE 'UTC')::date AS d FROM shop.public.orders`,
		`SELECT id FROM shop.public.orders WHERE sent > '2024-01-01 00:00:00+00'`,
		`SELECT id, sent + interval '36 hours' AS later FROM shop.public.orders`,
		`SELECT id, (sent AT TIME ZONE 'UTC' + interval '1 day') AT TIME ZONE 'UTC' AS later FROM shop.public.orders`,
		`SELECT id FROM shop.public.orders WHERE mood > 'sad' AND mood <> 'happy'::mood`,
		`SELECT id FROM shop.public.customers WHERE name = 'x' AND name LIKE 'a%' AND name <> city`,
		`SELECT extract(epoch FROM span) AS s FROM crm.public.people GROUP BY 1`,
		`SELECT id FROM shop.public.customers WHERE city ~ '^(a|b)+x?$' AND substring(city FROM '[0-9]+') = '7'`,
		`SELECT max(mood) AS m, min(placed) AS p FROM shop.public.orders`,
	} {
		if _, err := Compile(text, shop(), Options{}); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

// One check tells what is wrong in all parts of a query.
func TestAllRefusalsAtOnce(t *testing.T) {
	_, err := Compile("SELECT upper(name) AS a, nothing, id\nFROM shop.public.customers\nWHERE name > 'x'", shop(), Options{})
	var list syntax.Errors
	if !errors.As(err, &list) || len(list) != 3 {
		t.Fatalf("want three refusals, have %v", err)
	}
}
