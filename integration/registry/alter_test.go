//go:build unix

package registry

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var update = flag.Bool("update", false, "write testdata/alter.txt anew")

// An alteration is one thing that people do to a table, in one or more steps,
// each of which a row may follow.
type alteration struct {
	column string   // the table's second column, behind its key
	steps  []string // what follows ALTER TABLE t; or a statement, with %s for the table
}

// alterations are the changes of a table that its topic may have to follow.
var alterations = []alteration{
	{"v text", []string{"ADD COLUMN w text"}},
	{"v text", []string{"ADD COLUMN w int NOT NULL DEFAULT 0"}},
	{"v text", []string{"ADD COLUMN w text NOT NULL DEFAULT 'none'"}},
	{"v text", []string{"ADD COLUMN w timestamptz NOT NULL DEFAULT now()"}},
	{"v text", []string{"DROP COLUMN v"}},
	{"v text NOT NULL", []string{"DROP COLUMN v"}},
	{"v text", []string{"RENAME COLUMN v TO w"}},
	{"v text NOT NULL", []string{"RENAME COLUMN v TO w"}},
	{"v text", []string{"ALTER COLUMN v SET NOT NULL"}},
	{"v text NOT NULL", []string{"ALTER COLUMN v DROP NOT NULL"}},
	{"v text", []string{"ALTER COLUMN v SET DEFAULT 'x'"}},
	{"v text DEFAULT 'x'", []string{"ALTER COLUMN v SET DEFAULT 'y'"}},
	{"v int NOT NULL", []string{"ALTER COLUMN v TYPE bigint"}},
	{"v bigint NOT NULL", []string{"ALTER COLUMN v TYPE int"}},
	{"v smallint", []string{"ALTER COLUMN v TYPE int"}},
	{"v int", []string{"ALTER COLUMN v TYPE bigint"}},
	{"v int", []string{"ALTER COLUMN v TYPE double precision"}},
	{"v real", []string{"ALTER COLUMN v TYPE double precision"}},
	{"v int", []string{"ALTER COLUMN v TYPE numeric(12,2)"}},
	{"v int", []string{"ALTER COLUMN v TYPE text"}},
	{"v text", []string{"ALTER COLUMN v TYPE int USING length(v)"}},
	{"v varchar(10)", []string{"ALTER COLUMN v TYPE varchar(20)"}},
	{"v varchar(10)", []string{"ALTER COLUMN v TYPE text"}},
	{"v text", []string{"ALTER COLUMN v TYPE bytea USING v::bytea"}},
	{"v text", []string{"ALTER COLUMN v TYPE uuid USING v::uuid"}},
	{"v text", []string{"ALTER COLUMN v TYPE jsonb USING v::jsonb"}},
	{"v json", []string{"ALTER COLUMN v TYPE jsonb"}},
	{"v numeric(10,2)", []string{"ALTER COLUMN v TYPE numeric(12,2)"}},
	{"v numeric(10,2)", []string{"ALTER COLUMN v TYPE numeric(12,4)"}},
	{"v numeric(10,2)", []string{"ALTER COLUMN v TYPE numeric"}},
	{"v date", []string{"ALTER COLUMN v TYPE timestamp"}},
	{"v timestamp", []string{"ALTER COLUMN v TYPE timestamptz"}},
	{"v timestamp(3)", []string{"ALTER COLUMN v TYPE timestamp(6)"}},
	{"v int", []string{"ALTER COLUMN v TYPE int[] USING ARRAY[v]"}},
	{"v int[]", []string{"ALTER COLUMN v TYPE bigint[]"}},
	{"v mood", []string{"CREATE TYPE %s_mood AS ENUM ('sad', 'ok'); ALTER TABLE %[1]s ALTER COLUMN v TYPE %[1]s_mood USING v::text::%[1]s_mood", "ALTER TYPE %s_mood ADD VALUE 'happy'"}},
	{"v text", []string{"DROP COLUMN v", "ADD COLUMN v text"}},
	{"v text", []string{"DROP COLUMN v", "ADD COLUMN v int"}},
	{"v text", []string{"RENAME COLUMN v TO w", "RENAME COLUMN w TO v"}},
}

var levels = []registry.Level{registry.None, registry.Backward, registry.BackwardTransitive, registry.Forward, registry.ForwardTransitive, registry.Full, registry.FullTransitive}

// TestAlterations registers what each ALTER makes of a table's schema, at each
// level of compatibility, in both envelopes, and compares the answers with
// testdata/alter.txt; and with Apache Avro's own checker.
func TestAlterations(t *testing.T) {
	t.Parallel()
	t.Run("K24 every ALTER at every level", func(t *testing.T) {
		var matrix strings.Builder
		matrix.WriteString("What a registry answers to the value schema of a table that was altered: + takes it, . refuses it.\n")
		matrix.WriteString("The levels are " + strings.Join(names(levels), ", ") + ".\n")
		matrix.WriteString("As in Avro's own rules, logical types count for nothing: a decimal of another scale is taken.\n")
		histories, r := alterAll(t), trial{Local: newLocal(t)}
		for _, envelope := range []string{"debezium", "row"} {
			fmt.Fprintf(&matrix, "\nenvelope: %s\n", envelope)
			for i, a := range alterations {
				fmt.Fprintf(&matrix, "%s  %-20s %s\n", r.row(t, fmt.Sprint(envelope, i), histories[envelope][i]), a.column, strings.NewReplacer("%s", "t", "%[1]s", "t").Replace(strings.Join(a.steps, "; then ")))
			}
		}
		r.judge(t)
		golden(t, "testdata/alter.txt", matrix.String())
	})
}

func names(levels []registry.Level) (names []string) {
	for _, l := range levels {
		names = append(names, string(l))
	}
	return names
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what it was; see what changed: go test ./integration/registry -run Alterations -update && git diff\n%s", path, got)
	}
}

// alterAll makes a table for each alteration, alters all of them step by step,
// and gives the value schemas that each had, by envelope.
func alterAll(t *testing.T) map[string][][]string {
	t.Helper()
	server := pg.Server(t)
	const database = "alterations"
	pgtest.Database(t, server, database)
	exec := func(sql ...string) {
		t.Helper()
		if err := server.Exec(t.Context(), database, sql...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TYPE mood AS ENUM ('sad', 'ok')")
	most := 0
	for i, a := range alterations {
		exec(fmt.Sprintf("CREATE TABLE t%02d (id int PRIMARY KEY, %s)", i, a.column))
		most = max(most, len(a.steps))
	}
	histories := map[string][][]string{"debezium": make([][]string, len(alterations)), "row": make([][]string, len(alterations))}
	note := func(step int) {
		for envelope, of := range histories {
			for i, text := range export(t, server.URL(database), envelope) {
				if step <= len(alterations[i].steps) {
					of[i] = append(of[i], text)
				}
			}
		}
	}
	note(0)
	for step := range most {
		for i, a := range alterations {
			if step < len(a.steps) {
				exec(a.sql(step, fmt.Sprintf("t%02d", i)))
			}
		}
		note(step + 1)
	}
	return histories
}

func (a alteration) sql(step int, table string) string {
	if text := a.steps[step]; strings.Contains(text, "%") {
		return fmt.Sprintf(text, table)
	}
	return "ALTER TABLE " + table + " " + a.steps[step]
}

// export gives the value schemas of the tables as `evert schemas export` writes
// them, in the tables' order.
func export(t *testing.T, url, envelope string) []string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "evert.yaml")
	yaml := fmt.Sprintf("name: altered\ndata_dir: %s\nserve: {http: none}\nsources: {db: {envelope: %s, postgres: {url: %q, tables: [public.*]}}}\n", filepath.Join(dir, "data"), envelope, url)
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := harness.Run(t, suite.Evert(t), "schemas", "export", "-c", file)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var all []struct{ Subject, Schema string }
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	values := make([]string, len(alterations))
	for _, s := range all {
		var i int
		if _, err := fmt.Sscanf(s.Subject, "db.public.t%02d-value", &i); err == nil && strings.HasSuffix(s.Subject, "-value") {
			values[i] = s.Schema
		}
	}
	return values
}

// newLocal is a registry in this process, over an embedded log.
func newLocal(t *testing.T) *registry.Local {
	t.Helper()
	l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	local, err := registry.Open(t.Context(), &log.Store{Log: l, Topic: "schemas"})
	if err != nil {
		t.Fatal(err)
	}
	return local
}

// A trial registers the schemas of tables, and notes what it was answered.
type trial struct {
	*registry.Local
	answers []answered
}

// answered is what a registry said of a schema that is to follow others.
type answered struct {
	level registry.Level
	text  string
	after []string // oldest first
	taken bool
}

// row registers a table's schemas one after the other, under a subject of each
// level, and gives a mark for each, of the last schema. An earlier one that is
// refused is left out, as a table that was stopped would leave it out.
func (r *trial) row(t *testing.T, name string, schemas []string) (marks string) {
	t.Helper()
	for _, level := range levels {
		subject := name + "." + string(level)
		if err := r.Configure(t.Context(), subject, registry.Setting{Level: level}); err != nil {
			t.Fatal(err)
		}
		var there []string
		for i, text := range schemas {
			_, err := r.Register(t.Context(), subject, text)
			if err != nil && !errors.Is(err, registry.ErrIncompatible) {
				t.Fatal(err)
			}
			r.answers = append(r.answers, answered{level, text, slices.Clone(there), err == nil})
			if err == nil {
				there = append(there, text)
			}
			if i == len(schemas)-1 {
				marks += map[bool]string{true: "+", false: "."}[err == nil]
			}
		}
	}
	return marks
}

// pairs are what a checker of two schemas has to accept for an answer to be yes:
// reader and writer of each.
func (a *answered) pairs() (list [][2]string) {
	after := a.after
	if len(after) > 0 && !strings.HasSuffix(string(a.level), "_TRANSITIVE") {
		after = after[len(after)-1:]
	}
	for _, old := range after {
		if strings.HasPrefix(string(a.level), "BACKWARD") || strings.HasPrefix(string(a.level), "FULL") {
			list = append(list, [2]string{a.text, old})
		}
		if strings.HasPrefix(string(a.level), "FORWARD") || strings.HasPrefix(string(a.level), "FULL") {
			list = append(list, [2]string{old, a.text})
		}
	}
	return list
}

// judge compares the answers with Apache Avro's own checker.
func (r *trial) judge(t *testing.T) {
	t.Helper()
	var all [][2]string
	for i := range r.answers {
		all = append(all, r.answers[i].pairs()...)
	}
	found := compare(t, all)
	for _, a := range r.answers {
		n := len(a.pairs())
		wrong := slices.Concat(found[:n]...)
		found = found[n:]
		if a.taken != (len(wrong) == 0) {
			t.Errorf("%s: taken %t, and Apache Avro finds %v, of\n%s\nafter\n%s", a.level, a.taken, wrong, a.text, strings.Join(a.after, "\n"))
		}
	}
}
