package configs

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTablePatterns(t *testing.T) {
	for _, tc := range []struct {
		pattern string
		yes, no [][2]string
	}{
		{"public.orders", [][2]string{{"public", "orders"}}, [][2]string{{"public", "Orders"}, {"public", "orders2"}, {"Public", "orders"}}},
		{"public.*", [][2]string{{"public", "a"}, {"public", "a.b"}}, [][2]string{{"publi", "a"}, {"public2", "a"}}},
		{"*.*", [][2]string{{"a", "b"}}, nil},
		{"*.audit_*", [][2]string{{"a", "audit_"}, {"b", "audit_x"}}, [][2]string{{"a", "audit"}, {"a", "x_audit_x"}}},
		{"s*.a*b*c", [][2]string{{"s", "abc"}, {"s2", "axbxc"}, {"s", "abbc"}}, [][2]string{{"s", "ab"}, {"s", "abcd"}}},
		{`public."a.b"`, [][2]string{{"public", "a.b"}}, [][2]string{{"public", "a"}}},
		{`public."a*"`, [][2]string{{"public", "a*"}}, [][2]string{{"public", "ab"}}},
		{`"My ""Shop""".x`, [][2]string{{`My "Shop"`, "x"}}, nil},
		{`"public".a`, [][2]string{{"public", "a"}}, nil},
		{"größe.ñ", [][2]string{{"größe", "ñ"}}, nil},
		{"$a.b-c/d", [][2]string{{"$a", "b-c/d"}}, nil},
	} {
		p, err := ParseTable(tc.pattern)
		if err != nil {
			t.Errorf("%s: %v", tc.pattern, err)
			continue
		}
		for _, n := range tc.yes {
			if !p.Match(n[0], n[1]) {
				t.Errorf("%s does not match %q", tc.pattern, n)
			}
		}
		for _, n := range tc.no {
			if p.Match(n[0], n[1]) {
				t.Errorf("%s matches %q", tc.pattern, n)
			}
		}
	}
	if got := TableName("public", `a "b".c*`).String(); got != `public."a ""b"".c*"` {
		t.Error(got)
	}
	if a, b := mustTable(t, `"public".a`), mustTable(t, "public.a"); a != b || a != TableName("public", "a") {
		t.Error("two spellings of a name differ")
	}
	if _, _, ok := mustTable(t, "public.a*").Exact(); ok {
		t.Error("a pattern is not exact")
	}
}

func mustTable(t *testing.T, text string) TablePattern {
	t.Helper()
	p, err := ParseTable(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A mismatch takes no exponential time.
func TestMatchIsFast(t *testing.T) {
	p := mustTable(t, "a."+strings.Repeat("a*", 100)+"b")
	if p.Match("a", strings.Repeat("a", 50_000)) {
		t.Error("it matches")
	}
}

// What parses prints as what parses to the same; matching agrees with a regular
// expression; every name matches its own printed form, and a pattern of stars.
func FuzzTable(f *testing.F) {
	for _, s := range []string{"public.orders", "*.*", `"a.b"."c""d"`, "a.b.c", `"`, "a*b*.c*"} {
		f.Add(s, "public", "orders")
	}
	f.Fuzz(func(t *testing.T, text, schema, table string) {
		p, err := ParseTable(text)
		if err == nil {
			again, err := ParseTable(p.String())
			if err != nil || again != p {
				t.Fatalf("%q prints as %q, which is %v, %v", text, p, again, err)
			}
			want := p.schema.regexp().MatchString(schema) && p.table.regexp().MatchString(table)
			if got := p.Match(schema, table); got != want {
				t.Errorf("%v matches %q %q: %v, want %v", p, schema, table, got, want)
			}
		}
		name := TableName(schema, table)
		again, err := ParseTable(name.String())
		short := schema != "" && table != "" && len(schema) <= maxNamePart && len(table) <= maxNamePart && !strings.Contains(schema+table, "\x00") && utf8.ValidString(schema) && utf8.ValidString(table)
		if short && (err != nil || again != name || !again.Match(schema, table)) {
			t.Errorf("%q %q prints as %q, which is %v, %v", schema, table, name, again, err)
		}
	})
}

func (n namePart) regexp() *regexp.Regexp {
	text := regexp.QuoteMeta(n.text)
	if n.wild {
		text = strings.ReplaceAll(text, `\*`, `(?s:.*)`)
	}
	return regexp.MustCompile(`\A` + text + `\z`)
}

func TestOverridesMerge(t *testing.T) {
	c := mustParse(t, `
name: shop
sources:
  shop:
    postgres: {url: postgres://evert@localhost/shop, tables: ["*.*"]}
    overrides:
      "*.*": {topic: {partitions: 1, config: {retention.ms: 1, segment.ms: 1}}}
      public.*: {topic: {partitions: 2, config: {retention.ms: 2}}}
      public.order*: {key: [a]}
      public.orders: {key: [b, c]}
`, nil)
	s := c.Sources["shop"]
	o := s.For("public", "orders")
	if len(o.Key) != 2 || o.Topic.Partitions != 2 || o.Topic.Config["retention.ms"] != "2" || o.Topic.Config["segment.ms"] != "1" || o.OnOversize != StopTable || o.OnTruncate != Apply {
		t.Errorf("%+v", o)
	}
	if o := s.For("public", "order_lines"); len(o.Key) != 1 || o.Topic.Partitions != 2 {
		t.Errorf("%+v", o)
	}
	if o := s.For("sales", "x"); o.Key != nil || o.Topic.Partitions != 1 {
		t.Errorf("%+v", o)
	}
	p := s.Postgres
	if !Captures(p.Tables, p.ExcludeTables, "a", "b") || Captures(p.Tables, []TablePattern{mustTable(t, "a.*")}, "a", "b") {
		t.Error("Captures")
	}
}

func TestSlotName(t *testing.T) {
	for _, tc := range []struct{ deployment, source, want string }{
		{"shop", "eu", "evert_shop_eu"},
		{"my-shop", "eu-1", "evert_my_shop_eu_1"},
	} {
		if got := SlotName(tc.deployment, tc.source); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.deployment, tc.source, got, tc.want)
		}
	}
	long := strings.Repeat("x", 41)
	a, b := SlotName(long, long+"a"), SlotName(long, long+"b")
	if len(a) != 63 || a == b || !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(a) {
		t.Errorf("%s %s", a, b)
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]Size{"0B": 0, "1B": 1, "1024B": 1024, "64MiB": 64 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40, "007KiB": 7168} {
		if got, err := ParseSize(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for want, s := range map[string]Size{"0B": 0, "1023B": 1023, "1KiB": 1024, "1536KiB": 1536 << 10, "3GiB": 3 << 30} {
		if s.String() != want {
			t.Errorf("%d prints as %s, want %s", s, s, want)
		}
	}
	if r, err := ParseRate("50MiB/s"); r != 50<<20 || err != nil || r.String() != "50MiB/s" {
		t.Errorf("%v, %v", r, err)
	}
	for _, text := range []string{"1h", "1m", "90m", "1m30s", "1h0m1s", "50ms", "1.5s", "0s"} {
		d, err := parseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseDuration(formatDuration(d)); again != d || err != nil {
			t.Errorf("%s prints as %s", text, formatDuration(d))
		}
	}
}
