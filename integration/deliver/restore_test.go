//go:build unix

package deliver

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// TestRestoreMatrix restores one of four parts from an older backup, or the log with the
// states of views, and leaves the others as they were last (O16): the log, the states of
// views, the source, the system of a sink. What can be made anew from the log is, in a run;
// a log and a source that do not fit are refused with a code that says so, and what it
// names mends it. In the end everything is equal: nothing is wrong in silence. A sink of a
// view, whose topic went back as well, waits, and is filled anew when the view's source is
// mended.
func TestRestoreMatrix(t *testing.T) {
	t.Parallel()
	r := newRestored(t)
	r.SQL(r.Database, "INSERT INTO accounts SELECT n, n % 7, n FROM generate_series(1, 300) n")
	r.CatchUp()
	r.copyAll("older")
	r.SQL(r.Database, "SELECT pg_copy_logical_replication_slot(slot_name, 'kept') FROM pg_replication_slots WHERE database = current_database()")
	r.SQL(r.Database, "UPDATE accounts SET balance = balance + 1 WHERE id % 3 = 0", "DELETE FROM accounts WHERE id % 10 = 0", "INSERT INTO accounts SELECT n, n % 5, n FROM generate_series(301, 400) n")
	r.CatchUp()
	r.equal("before anything is restored")
	r.copyAll("newest")
	for _, part := range []struct {
		names   []string
		refused []string // one of these codes; empty: it goes on
		orNot   bool     // it may go on as well
	}{
		{[]string{"states of views"}, nil, false}, {[]string{"the system of a sink"}, nil, false}, {[]string{"the source"}, []string{"PG_AHEAD"}, false},
		// A slot that was not told of the place yet sends again what the log has lost.
		{[]string{"the log"}, []string{"PG_GAP", "SINK_INPUT_BACK"}, true},
		{[]string{"the log", "states of views"}, []string{"PG_GAP", "SINK_INPUT_BACK"}, true},
	} {
		what := strings.Join(part.names, " and ")
		for name := range r.parts {
			r.put(name, map[bool]string{true: "older", false: "newest"}[slices.Contains(part.names, name)])
		}
		r.start()
		r.SQL(r.Database, "UPDATE accounts SET balance = balance + 1 WHERE id = 1")
		d := r.Run("--until-caught-up")
		code := d.Wait(t, 5*time.Minute)
		said := d.Last(20)
		refused := slices.ContainsFunc(part.refused, func(code string) bool { return strings.Contains(said, "["+code+"]") })
		switch {
		case code == 0 && (part.refused == nil || part.orNot):
		case code == 0 || !refused:
			t.Fatalf("O16 %s: exit code %d; wanted one of %v:\n%s", what, code, part.refused, said)
		default:
			flags := regexp.MustCompile(`evert reset db( --resnapshot)? --yes`).FindStringSubmatch(said)
			if flags == nil {
				t.Fatalf("O16 %s: no reset mends it:\n%s", what, said)
			}
			r.Reset(strings.Fields(flags[1])...)
			r.CatchUp()
		}
		r.equal(what)
	}
	r.writtenAgain()
}

// writtenAgain restores the log with the states of views and the slot, so that nothing is
// refused and all is written again, in other epochs than before. A sink of the view that
// was away until the view had passed its place would find nothing amiss in numbers and
// offsets, and miss what branch 3 has become.
func (r *restored) writtenAgain() {
	r.Helper()
	for name := range r.parts {
		r.put(name, map[bool]string{true: "older", false: "newest"}[name == "the log" || name == "states of views"])
	}
	r.start()
	r.SQL(r.Database, `SELECT pg_drop_replication_slot(own.slot_name), pg_copy_logical_replication_slot('kept', own.slot_name)
		FROM (SELECT slot_name FROM pg_replication_slots WHERE database = current_database() AND slot_name <> 'kept') own`,
		"UPDATE accounts SET balance = balance + 1000 WHERE branch = 3")
	views, sinks, _ := strings.Cut(r.Options.More, "sinks:\n")
	for range 8 {
		r.Options.More = views
		r.CatchUp()
		r.SQL(r.Database, "UPDATE accounts SET balance = balance + 1 WHERE branch <> 3")
	}
	_, totals, _ := strings.Cut(sinks, "\n")
	r.Options.More = views + "sinks:\n" + totals
	r.CatchUp()
	r.equalIn("view", "the log is written again")
}

// A restored world has a source, and the system of two sinks, on a server each.
type restored struct {
	*harness.World
	target *pgserver.Server
	parts  map[string]string // the folder of each
}

func newRestored(t *testing.T) *restored {
	t.Helper()
	name := fmt.Sprintf("restore_%x", harness.Seed(t)&0xffffff)
	r := &restored{World: suite.NewWorld(t, pgtest.Start(t, pgtest.Options{}), name), target: pgtest.Start(t, pgtest.Options{})}
	r.parts = map[string]string{
		"the log": filepath.Join(r.Data(), "log"), "states of views": filepath.Join(r.Data(), "views"),
		"the source": filepath.Join(r.Postgres.Dir(), "data"), "the system of a sink": filepath.Join(r.target.Dir(), "data"),
	}
	r.SQL(r.Database, "CREATE TABLE accounts (id int PRIMARY KEY, branch int NOT NULL, balance int NOT NULL)", "ALTER TABLE accounts OWNER TO capture")
	r.Options.Source = "commit_interval: 10ms\nidle_interval: 100ms\n"
	r.Options.More = fmt.Sprintf(`views:
  branches:
    key: [branch]
    sql: SELECT branch, count(*) AS accounts, sum(balance) AS balance FROM db.public.accounts GROUP BY branch
sinks:
  mirror: {from: db.public.accounts, postgres: {url: %[1]q, table: public.accounts}}
  totals: {from: branches, postgres: {url: %[1]q, table: public.branches}}
`, r.target.URL("postgres"))
	return r
}

// copyAll stops the servers, copies every part, and starts them again.
func (r *restored) copyAll(as string) {
	r.Helper()
	r.stop()
	for name, dir := range r.parts {
		r.copy(dir, r.backup(as, name))
	}
	r.start()
}

// put stops the servers and puts a copy in a part's place.
func (r *restored) put(name, as string) {
	r.Helper()
	r.stop()
	r.copy(r.backup(as, name), r.parts[name])
}

func (r *restored) backup(as, name string) string {
	return filepath.Join(r.Dir, as+"-"+strings.ReplaceAll(name, " ", "-"))
}

func (r *restored) copy(from, to string) {
	r.Helper()
	if said, err := exec.CommandContext(r.Context(), "sh", "-c", `rm -rf "$2" && cp -a "$1" "$2"`, "sh", from, to).CombinedOutput(); err != nil {
		r.Fatalf("copy %s: %v: %s", from, err, said)
	}
}

func (r *restored) servers() []*pgserver.Server { return []*pgserver.Server{r.Postgres, r.target} }

func (r *restored) stop() {
	r.Helper()
	for _, s := range r.servers() {
		if err := s.Stop(pgserver.Fast); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *restored) start() {
	r.Helper()
	for _, s := range r.servers() {
		if err := s.Restart(r.Context(), pgserver.Fast); err != nil {
			r.Fatal(err)
		}
	}
}

// equal compares what the sinks' system holds with the source.
func (r *restored) equal(when string) {
	r.Helper()
	for _, what := range []string{"table", "view"} {
		r.equalIn(what, when)
	}
}

// equalIn compares one table of the sinks' system.
func (r *restored) equalIn(what, when string) {
	r.Helper()
	const accounts = "SELECT id || ' ' || branch || ' ' || balance FROM accounts ORDER BY 1"
	sql := map[string][2]string{
		"table": {accounts, accounts},
		"view":  {"SELECT branch || ' ' || count(*) || ' ' || sum(balance) FROM accounts GROUP BY branch ORDER BY 1", "SELECT branch || ' ' || accounts || ' ' || balance FROM branches ORDER BY 1"},
	}[what]
	want, got := r.lines(r.Postgres.URL(r.Database), sql[0]), r.lines(r.target.URL("postgres"), sql[1])
	if !slices.Equal(got, want) {
		r.Errorf("O16 %s: the %s has %d rows, and the source %d, or others:\n%v\n%v", when, what, len(got), len(want), got, want)
	}
}

func (r *restored) lines(url, sql string) []string {
	r.Helper()
	conn, err := pgx.Connect(r.Context(), url)
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(r.Context()))
	rows, err := conn.Query(r.Context(), sql)
	if err != nil {
		r.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.Fatal(err)
	}
	return lines
}
