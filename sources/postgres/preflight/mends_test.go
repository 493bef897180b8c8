package preflight

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

var update = flag.Bool("update", false, "write testdata/platforms.txt anew")

// recorded are answers to platformSQL: the roles that every database of a platform
// has, as their manuals list them.
func recorded() []struct {
	roles    string
	isAurora bool
} {
	return []struct {
		roles    string
		isAurora bool
	}{
		{"", false}, {"rds_superuser", false}, {"rds_superuser", true}, {"cloudsqlsuperuser", false},
		{"azure_pg_admin", false}, {"supabase_admin", false}, {"neon_superuser", false},
	}
}

// TestPlatformMends prints what mends the same things on each platform.
func TestPlatformMends(t *testing.T) {
	var b strings.Builder
	for _, of := range recorded() {
		p := platformOf(of.roles, of.isAurora)
		f := &Server{Platform: p, Database: "shop", Version: 150000, WALLevel: "replica", Encoding: "UTF8",
			MaxSlots: 5, Slots: 5, MaxSenders: 5, Senders: 5, KeepSizeMB: -1}
		fmt.Fprintf(&b, "== %s\n", cmp.Or(string(p), "a server of one's own"))
		for _, err := range f.Refusals(pgvalue.Trust, true) {
			var r *pipeline.Refusal
			errors.As(err, &r)
			fmt.Fprintf(&b, "%s\n%s\n", r.Code, indented(r.Mend))
		}
		fmt.Fprintf(&b, "%s\n%s\n", CodeRetention, indented(f.Warnings(pgvalue.Trust)[0].Mend))
		fmt.Fprintf(&b, "%s\n%s\n", CodeRight, indented(p.replicate(`"ann"`)))
		fmt.Fprintf(&b, "%s\n%s\n", CodeAuth, indented(p.letIn("hostssl shop ann 192.0.2.1/32 scram-sha-256")))
		for _, w := range p.Warnings("evert_shop_db") {
			fmt.Fprintf(&b, "%s: %s\n%s\n", w.Code, w.What, indented(w.Mend))
		}
		g := Grant{Role: "evert", Database: "shop", Publication: "evert_shop_db", Tables: []pgsql.TableName{{Schema: "public", Name: "orders"}}, Platform: p}
		fmt.Fprintf(&b, "role\n%s\n", indented(strings.Join(g.SQL()[:2], "\n")))
	}
	golden := filepath.Join("testdata", "platforms.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant, in %s,\n%s", b.String(), golden, want)
	}
}

func indented(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

// TestGoingRoundAPooler names the server behind the poolers of platforms.
func TestGoingRoundAPooler(t *testing.T) {
	for host, want := range map[string]string{
		"ep-cool-rain-1-pooler.eu-central-1.aws.neon.tech:5432":       "host ep-cool-rain-1.eu-central-1.aws.neon.tech,",
		"aws-0-eu-central-1.pooler.supabase.com:6543":                 "host db.PROJECT.supabase.co",
		"shop.proxy-abcdefghijkl.eu-central-1.rds.amazonaws.com:5432": "the endpoint of the instance",
		"pooler.example:6432": "host and port of the server",
	} {
		if got := Directly(host); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", host, got, want)
		}
	}
}
