package postgres

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/pgsql"
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
		f := &facts{platform: p, database: "shop", version: 150000, walLevel: "replica", encoding: "UTF8",
			maxSlots: 5, slots: 5, maxSenders: 5, senders: 5, keepSizeMB: -1}
		fmt.Fprintf(&b, "== %s\n", cmp.Or(string(p), "a server of one's own"))
		for _, err := range f.serverRefusals(&Config{}, true) {
			var r *pipeline.Refusal
			errors.As(err, &r)
			fmt.Fprintf(&b, "%s\n%s\n", r.Code, indented(r.Mend))
		}
		fmt.Fprintf(&b, "%s\n%s\n", CodeRetention, indented(f.warnings(&Config{})[0].Mend))
		fmt.Fprintf(&b, "%s\n%s\n", CodeRight, indented(p.replicate(`"ann"`)))
		fmt.Fprintf(&b, "%s\n%s\n", CodeAuth, indented(p.letIn("hostssl shop ann 192.0.2.1/32 scram-sha-256")))
		for _, w := range p.warnings(&Config{Slot: "evert_shop_db"}) {
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

// TestPlatformIsTold makes a server look like each platform, by its roles, and
// checks it.
func TestPlatformIsTold(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"wal_level": "replica"}})
	pgtest.Database(t, server, "told")
	d := dbAt(t, server.URL("told"))
	d.do("CREATE TABLE t (id int PRIMARY KEY)")
	for _, of := range recorded() {
		p := platformOf(of.roles, of.isAurora)
		if of.roles != "" {
			d.do("CREATE ROLE %s", of.roles)
		}
		if of.isAurora {
			d.do("CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS $$SELECT '15.4'$$")
		}
		got := found(t, d.config(), nil, CodeWALLevel)
		if want := p.set("wal_level", "logical", true); len(got) != 1 || got[0].Mend != want {
			t.Errorf("%s: got %v, want the mend %q", p, got, want)
		}
		if of.roles != "" {
			d.do("DROP ROLE %s", of.roles)
		}
	}
}

// TestPoolerIsTold connects through something that answers for the server, as a
// pooler does: the session's number is the pooler's own.
func TestPoolerIsTold(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE t (id int PRIMARY KEY)")
	c := d.config()
	if got := found(t, c, nil, CodePooler); len(got) > 0 {
		t.Fatalf("without one: %v", got)
	}
	through := through(t, d.url)
	c.URL = func(context.Context) (string, error) { return through, nil }
	got := found(t, c, nil, CodePooler)
	if len(got) != 1 || got[0].Severity != pipeline.Warns || !strings.HasPrefix(got[0].Mend, "url: ") {
		t.Fatalf("got %v, want one warning that says how to go round it", got)
	}
}

// TestGoingRoundAPooler names the server behind the poolers of platforms.
func TestGoingRoundAPooler(t *testing.T) {
	for host, want := range map[string]string{
		"ep-cool-rain-1-pooler.eu-central-1.aws.neon.tech:5432":       "host ep-cool-rain-1.eu-central-1.aws.neon.tech,",
		"aws-0-eu-central-1.pooler.supabase.com:6543":                 "host db.PROJECT.supabase.co",
		"shop.proxy-abcdefghijkl.eu-central-1.rds.amazonaws.com:5432": "the endpoint of the instance",
		"pooler.example:6432": "host and port of the server",
	} {
		if got := directly(host); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", host, got, want)
		}
	}
}

// through gives the connection string that goes through a proxy which answers
// BackendKeyData with a number of its own.
func through(t *testing.T, to string) string {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	server := net.JoinHostPort(u.Hostname(), u.Port())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // the test has ended
			}
			go answerFor(client, server)
		}
	}()
	u.Host = l.Addr().String()
	return u.String()
}

func answerFor(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
	for {
		head := make([]byte, 5) // type, and a length that counts itself
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		if head[0] == 'K' {
			binary.BigEndian.PutUint32(body, binary.BigEndian.Uint32(body)+1)
		}
		if _, err := client.Write(append(head, body...)); err != nil {
			return
		}
	}
}
