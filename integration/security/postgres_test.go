//go:build unix

package security

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log/kafka/certtest"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// TestPostgres tries doors to servers with right and wrong certificates, and
// with none.
func TestPostgres(t *testing.T) {
	t.Parallel()
	ours, others := certtest.New(t, "ours"), certtest.New(t, "others")
	dir := t.TempDir()
	ca, otherCA := ours.File(t, dir), others.File(t, dir)
	server, plain := pgtest.Start(t, pgtest.Options{}), pg.Server(t)
	present := func(l certtest.Leaf) { certify(t, server, ours.Issue(t, l)) }
	here := certtest.Leaf{Name: "server", Hosts: []string{"127.0.0.1"}}
	present(here)
	at := func(s *pgserver.Server) string { return fmt.Sprintf("127.0.0.1:%d", s.Port()) }
	stripped := stripping(t, at(server))
	expired, elsewhere := here, certtest.Leaf{Name: "server", Hosts: []string{"db.example"}}
	expired.End = time.Now().Add(-time.Hour)
	for _, a := range []struct {
		shows   *certtest.Leaf
		address string
		attempt
	}{
		{&here, at(server), attempt{name: "X01 right", yaml: "sslmode=verify-full&sslrootcert=" + ca}},
		{&elsewhere, at(server), attempt{name: "X01 wrong name, not looked at", yaml: "sslmode=verify-ca&sslrootcert=" + ca}},
		{&here, at(server), attempt{name: "X01 wrong authority", yaml: "sslmode=verify-full&sslrootcert=" + otherCA, code: "PG_TLS", says: "not signed by an authority that is trusted"}},
		{&here, at(server), attempt{name: "X01 the system's authorities", yaml: "sslmode=verify-full", code: "PG_TLS", says: "not signed by an authority that is trusted"}},
		{&elsewhere, at(server), attempt{name: "X01 wrong name", yaml: "sslmode=verify-full&sslrootcert=" + ca, code: "PG_TLS", says: "for other names than 127.0.0.1"}},
		{&expired, at(server), attempt{name: "X01 expired", yaml: "sslmode=verify-full&sslrootcert=" + ca, code: "PG_TLS", says: "has expired"}},
		{nil, at(plain), attempt{name: "X01 a server without TLS", yaml: "sslmode=verify-full&sslrootcert=" + ca, code: "PG_TLS", says: "does not speak TLS"}},
		{&here, stripped, attempt{name: "X01 a proxy that strips TLS", yaml: "sslmode=verify-full&sslrootcert=" + ca, code: "PG_TLS", says: "does not speak TLS"}},
	} {
		t.Run(a.name, func(t *testing.T) {
			if a.shows != nil {
				present(*a.shows)
			}
			w := suite.NewWorld(t, server, fmt.Sprintf("door_%d", doors.Add(1)))
			w.SQL(w.Database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "ALTER TABLE t OWNER TO capture")
			w.SQL("postgres", "ALTER ROLE capture PASSWORD '"+password+"'")
			a.run(t, suite.Evert(t), "evert.yaml", fmt.Sprintf(`name: %s
data_dir: %s
sources: {db: {postgres: {url: "postgres://capture:%s@%s/%[1]s?%[5]s", tables: [public.*]}}}
serve: {http: none}
`, w.Database, w.Data(), password, a.address, a.yaml))
		})
	}
}

// certify gives a server a certificate. It writes the files itself: they have to
// be its own, and nobody else's.
func certify(t *testing.T, s *pgserver.Server, p certtest.Pair) {
	t.Helper()
	file := func(text []byte, name string) string {
		return fmt.Sprintf("COPY (SELECT unnest(string_to_array($pem$%s$pem$, E'\\n'))) TO PROGRAM 'umask 077; cat > %s'", text, name)
	}
	if err := s.Exec(context.Background(), "postgres", file(p.Cert, "server.crt"), file(p.Key, "server.key"),
		"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	awaitCertificate(t, s, p)
}

// awaitCertificate returns when the server shows a certificate.
func awaitCertificate(t *testing.T, s *pgserver.Server, p certtest.Pair) {
	t.Helper()
	want := p.TLS(t).Certificate[0]
	deadline := time.Now().Add(harness.Patience)
	for {
		got, err := shown(fmt.Sprintf("127.0.0.1:%d", s.Port()))
		if err == nil && string(got) == string(want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not show its new certificate: %v", err)
		}
		time.Sleep(5 * time.Millisecond) // the period of asking
	}
}

const sslRequest = 80877103 // of the protocol's message SSLRequest

// stripping is a proxy that says that the server has no TLS, and passes on what
// a client then sends.
func stripping(t *testing.T, server string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { strip(in, server) })
		}
	})
	return l.Addr().String()
}

func strip(in net.Conn, server string) {
	defer in.Close()
	var asked [8]byte
	if _, err := io.ReadFull(in, asked[:]); err != nil || binary.BigEndian.Uint32(asked[4:]) != sslRequest {
		return
	}
	if _, err := in.Write([]byte("N")); err != nil {
		return
	}
	out, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer out.Close()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(out, in); out.Close() })
	_, _ = io.Copy(in, out)
	in.Close()
	both.Wait()
}
