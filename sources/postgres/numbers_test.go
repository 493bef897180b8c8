package postgres

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
)

// P20, P21: rows that came under a column which another one of its name has replaced
// while nobody read stop their table, also if no row comes after them.
func TestColumnReplacedWhileNobodyReads(t *testing.T) {
	t.Parallel()
	const again = "added again"
	for what, c := range map[string]struct{ ddl, says string }{
		"one that came":                            {"ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5); ALTER TABLE p DROP c, ADD c int", "whether column c of its rows is the one of now"},
		"one that came, and rows come after":       {"ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5); ALTER TABLE p DROP c, ADD c int; INSERT INTO p VALUES (2, 'b', 6)", "whether column c of its rows"},
		"one that came, within a transaction":      {"BEGIN; ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5); ALTER TABLE p DROP c, ADD c int; COMMIT", "whether column c of its rows"},
		"one that came, in another type":           {"ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5); ALTER TABLE p DROP c, ADD c text", "whether column c of its rows"},
		"one that came, by one that is renamed":    {"ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5); ALTER TABLE p RENAME c TO d; ALTER TABLE p ADD c int", "column c was renamed to d"},
		"one that was there: rows, then both":      {"INSERT INTO p VALUES (1, 'a'); ALTER TABLE p DROP v, ADD v text", again},
		"one that was there: drop, rows, add":      {"ALTER TABLE p DROP v; INSERT INTO p VALUES (1); ALTER TABLE p ADD v text", again},
		"one that was there: both, then rows":      {"ALTER TABLE p DROP v, ADD v text; INSERT INTO p VALUES (1, 'a')", again},
		"one that was there, by one that came":     {"ALTER TABLE p ADD x text; INSERT INTO p VALUES (1, 'a', 'x'); ALTER TABLE p DROP v; ALTER TABLE p RENAME x TO v", again},
		"none: one came, and one went before":      {"ALTER TABLE p ADD x int; ALTER TABLE p DROP x; ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5)", "whether column c of its rows"}, // the log is the same
		"none: one came, and one went after":       {"ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5); ALTER TABLE p ADD x int; ALTER TABLE p DROP x", ""},
		"none: two came":                           {"ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5); ALTER TABLE p ADD d int", ""},
		"none: one came, and others went long ago": {"ALTER TABLE p ADD c int; INSERT INTO p VALUES (1, 'a', 5)", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := newDB(t)
			d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE p (id int PRIMARY KEY, old int, v text, older int); ALTER TABLE p DROP old, DROP older")
			r := open(t, d.config(), pipeline.Resume{})
			r.snapshot()
			at := r.close()
			for _, sql := range oneByOne(c.ddl) {
				d.do("%s", sql)
			}
			r = open(t, d.config(), at)
			if c.says != "" {
				if why := r.stops("public.p"); !strings.Contains(why.What, c.says) || why.Code != CodeTableChanged {
					t.Errorf("%s says %s, want %s", why.Code, why.What, c.says)
				}
				d.do("INSERT INTO t VALUES (1)")
				if lines := r.sync(d); len(lines) == 0 || lines[len(lines)-1] != "c t 1" {
					t.Errorf("the other table does not go on: %v", lines)
				}
				return
			}
			wantLines(t, r.sync(d), "c p 1|a|5")
			r.standsLookedAt(d)
		})
	}
}

// P20: a state of an earlier release does not say which numbers were given by then. They are
// known all the same, before any row comes, also where columns came while nobody read.
func TestNumbersOfAnEarlierRelease(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ before, after string }{
		"a column comes behind the start": {"SELECT", "ALTER TABLE p ADD c int"},
		"one has come before it":          {"ALTER TABLE p ADD c int", "SELECT"},
		"two have, and a row":             {"ALTER TABLE p ADD c int, ADD d int; INSERT INTO p VALUES (0, 'z', 4)", "ALTER TABLE p DROP d"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := newDB(t)
			d.do("CREATE TABLE p (id int PRIMARY KEY, v text, older int); ALTER TABLE p DROP older")
			r := open(t, d.config(), pipeline.Resume{})
			r.snapshot()
			at := r.close()
			at.State = withoutMost(t, at.State)
			d.do("%s", c.before)
			config := d.config()
			config.PollInterval = patience // it looks at the start alone
			r = open(t, config, at)
			d.do("%s; INSERT INTO p VALUES (1, 'a', 5)", c.after)
			if lines := r.sync(d); len(lines) == 0 || lines[len(lines)-1] != "c p 1|a|5" {
				t.Errorf("it reads %v", lines)
			}
			for _, m := range r.source.a.seen.Load().marks {
				if m.most == 0 {
					t.Error("the numbers are not known")
				}
			}
		})
	}
}

// withoutMost is a state as earlier releases stored it.
func withoutMost(t *testing.T, state []byte) []byte {
	t.Helper()
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(state, &all); err != nil {
		t.Fatal(err)
	}
	if all["most"] == nil {
		t.Fatalf("the state has no such key: %s", state)
	}
	delete(all, "most")
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// oneByOne divides statements; a transaction stays whole.
func oneByOne(sql string) []string {
	if strings.HasPrefix(sql, "BEGIN") {
		return []string{sql}
	}
	return strings.SplitAfter(sql, ";")
}

// A column's number is either right or said to be in doubt, whatever was done to a
// table between a row and the look at the catalog.
func TestNumbersOfColumns(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	sure := 0
	for range 5_000 {
		h := newHistory(rng)
		h.alter(rng.IntN(5))
		was := written{columns: h.columns(), most: h.most}
		if rng.IntN(3) == 0 {
			was.most = rng.IntN(h.most + 1) // it was looked at before
		}
		h.alter(rng.IntN(5))
		m, truth := h.message()
		h.alter(rng.IntN(5))
		now := h.table()
		nums, twin := now.numbers(m, was)
		if twin != "" || !h.plain(m, truth, was) {
			continue
		}
		for i := range nums {
			if before := named(was.columns, string(m.Columns[i].Name)); before != nil && before.num != nums[i] || nums[i] == 0 {
				continue // such a table stops by what it was, or its rows are compared again
			}
			sure++
			if nums[i] != truth[i] {
				t.Fatalf("seed %d: column %s has number %d, and was given %d: %v", seed, m.Columns[i].Name, truth[i], nums[i], h.told)
			}
		}
	}
	if sure < 2_000 {
		t.Errorf("only %d numbers are sure", sure)
	}
}

// plain reports whether a column that was there before, and is gone by now, is in a message
// under its own name or not at all, and no other one under that name.
func (h *history) plain(m *pgoutput.RelationMessage, truth []int, was written) bool {
	now := h.table()
	for i, c := range m.Columns {
		for _, before := range was.columns {
			if now.column(before.num) == nil && (before.num == truth[i]) != (before.name == string(c.Name)) {
				return false
			}
		}
	}
	return true
}

// A history alters a table of columns without rows.
type history struct {
	rng  *rand.Rand
	live []shapeColumn
	most int
	told []string
}

func newHistory(rng *rand.Rand) *history {
	return &history{rng: rng, live: []shapeColumn{{num: 1, name: "id"}}, most: 1}
}

// alter adds, drops and renames columns; few names are in use.
func (h *history) alter(n int) {
	h.told = append(h.told, "then")
	for range n {
		name := string(rune('a' + h.rng.IntN(4)))
		switch at := h.rng.IntN(len(h.live)); {
		case h.rng.IntN(2) == 0 && named(h.live, name) == nil:
			h.most++
			h.live = append(h.live, shapeColumn{num: h.most, name: name})
			h.told = append(h.told, fmt.Sprintf("add %s %d", name, h.most))
		case at == 0:
		case h.rng.IntN(2) == 0 && named(h.live, name) == nil:
			h.told = append(h.told, fmt.Sprintf("rename %s to %s", h.live[at].name, name))
			h.live[at].name = name
		default:
			h.told = append(h.told, "drop "+h.live[at].name)
			h.live = slices.Delete(h.live, at, at+1)
		}
	}
}

func (h *history) columns() []shapeColumn { return slices.Clone(h.live) }

// message is what the log says before a row, and the numbers that it does not say.
func (h *history) message() (m *pgoutput.RelationMessage, nums []int) {
	m = &pgoutput.RelationMessage{}
	for _, c := range h.live {
		m.Columns, nums = append(m.Columns, pgoutput.RelationColumn{Name: []byte(c.name)}), append(nums, c.num)
	}
	return m, nums
}

func (h *history) table() *tableInfo {
	t := &tableInfo{most: h.most}
	for _, c := range h.live {
		t.columns = append(t.columns, columnInfo{num: c.num, name: c.name})
	}
	return t
}
