//go:build unix

package rights

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
)

// A change is something that is done to a role while its daemon runs, and how
// that is undone.
type change struct {
	what string
	do   func(g *guarded, d *deployment)
	undo func(g *guarded, d *deployment)
	code string // that the daemon gives as the reason meanwhile; empty: it goes on
}

const secretFile = "password"

func changes(line string) []change {
	sql := func(text string) func(g *guarded, d *deployment) {
		return func(g *guarded, _ *deployment) { g.dba(database, text) }
	}
	return []change{
		{
			what: "the password is rotated, and then the secret's file", code: "PG_AUTH",
			do:   sql("ALTER ROLE evert PASSWORD 'canary-rotated'"),
			undo: func(_ *guarded, d *deployment) { d.swap(secretFile, "canary-rotated\n") },
		},
		{
			what: "password and file change between two connections",
			do: func(g *guarded, d *deployment) {
				g.dba(database, "ALTER ROLE evert PASSWORD '"+password+"'")
				d.swap(secretFile, password+"\n")
			},
			undo: func(*guarded, *deployment) {},
		},
		{
			what: "SELECT is revoked, which the stream does not need",
			do:   sql("REVOKE SELECT ON customers FROM evert"), undo: sql("GRANT SELECT ON customers TO evert"),
		},
		{
			what: "the role loses REPLICATION", code: "PG_RIGHT",
			do: sql("ALTER ROLE evert NOREPLICATION"), undo: sql("ALTER ROLE evert REPLICATION"),
		},
		{
			what: "pg_hba.conf is reloaded without its line", code: "PG_AUTH",
			do: func(g *guarded, _ *deployment) { g.allow("") }, undo: func(g *guarded, _ *deployment) { g.allow(line) },
		},
	}
}

// swap replaces a file in one step, as a secret's manager does.
func (d *deployment) swap(name, text string) {
	d.Helper()
	d.write(name+".new", text)
	if err := os.Rename(filepath.Join(d.dir, name+".new"), filepath.Join(d.dir, name)); err != nil {
		d.Fatal(err)
	}
}

// TestChangesWhileRunning changes what a role may, or how it proves who it is,
// under a daemon that runs all the time. The daemon says what is wrong, asks
// seldom, and goes on by itself (P36).
func TestChangesWhileRunning(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	starter := newDeployment(t, "")
	if err := os.Remove(filepath.Join(starter.dir, "evert.yaml")); err != nil {
		t.Fatal(err)
	}
	line := g.grant(starter.works("init", g.server.URL(database), "--out", "-"))
	g.allow(line)
	d := newDeployment(t, "")
	d.write(secretFile, password+"\n")
	d.write("evert.yaml", fmt.Sprintf(`name: app
sources:
  app:
    reconnect_max: 2s
    postgres: {url: "postgres://evert@127.0.0.1:%d/app?sslmode=disable", password: "${file:%s}", tables: [public.*, sales.*]}
serve: {http: none}
`, g.server.Port(), filepath.Join(d.dir, secretFile)))
	p := d.start("evert.yaml")
	d.status(p, "stream", func(st harness.Status) bool { return st.State == "streaming" })
	for i, c := range changes(line) {
		t.Run("P36 "+c.what, func(t *testing.T) {
			d, g := &deployment{t, d.dir}, &guarded{t, g.server, g.hba}
			c.do(g, d)
			g.dba(database, fmt.Sprintf("INSERT INTO customers VALUES (%d, 'meanwhile')", 100+i))
			g.disconnect()
			if c.code != "" {
				d.says(p, c.code)
			}
			c.undo(g, d)
			d.arrives(100 + i)
		})
	}
	if p.Count(func(line string) bool { return strings.Contains(line, "canary-") }) > 0 {
		t.Error("X14: the log holds a password")
	}
}

// disconnect ends the connections of the role.
func (g *guarded) disconnect() {
	g.Helper()
	g.dba(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+role+"'")
}

// says waits until the daemon gives a code as the reason why it does not get on.
func (d *deployment) says(p *harness.Process, code string) {
	d.Helper()
	d.status(p, code, func(st harness.Status) bool {
		return slices.ContainsFunc(st.Reasons, func(r harness.Reason) bool { return strings.Contains(r.Code+r.Text, code) })
	})
}

// status waits until the daemon's is as wanted.
func (d *deployment) status(p *harness.Process, what string, wanted func(st harness.Status) bool) {
	d.Helper()
	timeout := time.After(harness.Patience)
	for {
		st, err := harness.StatusOf(d.Context(), filepath.Join(d.dir, "data"))
		if err == nil && wanted(st) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond): // the period of asking
		case <-p.Exited():
			d.Fatalf("the daemon ended:\n%s", p.Last(20))
		case <-timeout:
			d.Fatalf("no %s; status %+v, %v:\n%s", what, st, err, p.Last(20))
		}
	}
}

// arrives waits for a customer in the topic.
func (d *deployment) arrives(id int) {
	d.Helper()
	want := fmt.Sprintf(`"key":{"id":%d}`, id)
	timeout := time.After(harness.Patience)
	for {
		out, _ := d.evert("tail", "public.customers", "--until-end", "-o", "json")
		if strings.Contains(out, want) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond): // the period of asking
		case <-timeout:
			d.Fatalf("%s did not arrive:\n%s", want, out)
		}
	}
}
