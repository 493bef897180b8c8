package postgres

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// TestPlatformIsTold makes a server look like each platform, by its roles, and
// checks it.
func TestPlatformIsTold(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"wal_level": "replica"}})
	pgtest.Database(t, server, "told")
	d := dbAt(t, server.URL("told"))
	d.do("CREATE TABLE t (id int PRIMARY KEY)")
	for _, of := range []struct {
		roles    string
		isAurora bool
		preflight.Platform
	}{
		{"", false, preflight.OwnMachine}, {"rds_superuser", false, preflight.RDS}, {"rds_superuser", true, preflight.Aurora}, {"cloudsqlsuperuser", false, preflight.CloudSQL},
		{"azure_pg_admin", false, preflight.Azure}, {"supabase_admin", false, preflight.Supabase}, {"neon_superuser", false, preflight.Neon},
	} {
		p := of.Platform
		if of.roles != "" {
			d.do("CREATE ROLE %s", of.roles)
		}
		if of.isAurora {
			d.do("CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS $$SELECT '15.4'$$")
		}
		got := found(t, d.config(), nil, preflight.CodeWALLevel)
		if want := p.Set("wal_level", "logical", true); len(got) != 1 || got[0].Mend != want {
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
