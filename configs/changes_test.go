package configs_test

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/configs"
)

// TestChanges names what differs between two files, wherever it stands in them, and
// never what it is (X14).
func TestChanges(t *testing.T) {
	const file = `name: shop
sources:
  a: {overrides: {public.t: {key: [id]}}, postgres: {url: "postgres://u:canary@localhost/db", tables: [public.*, more.t]}}
  b: {mysql: {url: "mysql://u:x@localhost/d", tables: [d.t]}}
views: {v: {key: [id], sql: "SELECT id FROM a.public.t"}}
serve: {http: "127.0.0.1:7001"}
`
	load := func(text string) *configs.Config {
		c, err := configs.Parse("evert.yaml", []byte(text), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct{ from, to, want string }{
		{"", "", ""},
		{"sources:", "# a comment\n\nsources:", ""},
		{"", "limits: {batch_rows: 2048}\n", ""}, // the default
		{"", "limits: {batch_rows: 2049}\n", "limits.batch_rows"},
		{"canary", "other", "sources.a.postgres.url"},
		{"more.t", "more.u", "sources.a.postgres.tables"},
		{", more.t", "", "sources.a.postgres.tables"},
		{"key: [id]", "key: [id, x]", "sources.a.overrides.public.t.key"},
		{"public.t: {key", "public.u: {key", "sources.a.overrides.public.t sources.a.overrides.public.u"},
		{"  b:", "  c:", "sources.b sources.c"},
		{"SELECT id", "SELECT  id", "views.v.sql"},
		{"7001", "7002", "serve.http"},
		{"", "registry: {url: http://localhost:8081}\n", "registry"},
	} {
		next := strings.Replace(file, c.from, c.to, 1)
		if c.from == "" {
			next = file + c.to
		}
		if got := strings.Join(load(file).Changes(load(next)), " "); got != c.want {
			t.Errorf("%s for %s: %q, want %q", c.to, c.from, got, c.want)
		}
	}
}
