package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/sinktest"
)

// both are the settings of a group of items and others in a schema.
func (d *db) both(in string) []Config {
	var all []Config
	for _, name := range []string{"items", "others"} {
		c := d.config()
		c.Name, c.Group, c.Topic, c.Table = "test.sink/"+name, "test.sink", "app.public."+name, TableName{in, name}
		all = append(all, c)
	}
	return all
}

// TestSeveral tells the clauses of several tables in one sink, by each road that a step
// may take.
func TestSeveral(t *testing.T) {
	for _, road := range []struct {
		name   string
		change func(all []Config, d *db)
	}{
		{"tables of our own", func([]Config, *db) {}},
		{"tables that are there", func(all []Config, d *db) {
			for _, c := range all {
				d.do("CREATE TABLE " + c.Table.sql() + " (id bigint PRIMARY KEY, v text)")
			}
		}},
		{"one that is there", func(all []Config, d *db) {
			d.do("CREATE TABLE " + all[1].Table.sql() + " (id bigint PRIMARY KEY, v text)")
		}},
		{"by way of the temporary tables", func(all []Config, d *db) {
			for i := range all {
				all[i].BufferBytes, all[i].SmallRows = 1, 1
			}
		}},
	} {
		t.Run(road.name, func(t *testing.T) {
			d, schemas := newDB(t), 0
			sinktest.RunSeveral(t, func(*testing.T) sinktest.SeveralHarness {
				schemas++
				in := fmt.Sprintf("s%d", schemas)
				d.do("CREATE SCHEMA " + in)
				all := d.both(in)
				road.change(all, d)
				return sinktest.SeveralHarness{
					New: func(testing.TB) deliver.Target { return NewGroup(all) },
					Rows: func(t testing.TB) (items, others map[int64]string) {
						return d.rows(t, all[0].Table), d.rows(t, all[1].Table)
					},
					Powers: sinktest.Powers{Atomic: true, Fences: true, Beside: true},
				}
			})
		})
	}
}

// TestSeveralRefused tells that a row which one table does not take stops all, or goes
// to the dead letters with its own topic, and that rows of the other are written by the
// roads that follow, in the same transaction (S13).
func TestSeveralRefused(t *testing.T) {
	d := newDB(t)
	d.do("CREATE TABLE public.others (id bigint PRIMARY KEY, v text CHECK (v <> 'bad'))")
	for name, keep := range map[string]bool{"stop": false, "keep": true} {
		t.Run(name, func(t *testing.T) {
			d.do("DROP TABLE IF EXISTS public.items, public.evert_sinks; TRUNCATE public.others")
			all, letters := d.both("public"), &kept{}
			if keep {
				all[0].Rejects, all[1].Rejects = letters, letters
			}
			g := NewGroup(all)
			defer g.Close()
			err := writeBoth(g, "good", "bad")
			if keep {
				if err != nil {
					t.Fatal(err)
				}
				d.wants("SELECT v FROM public.items UNION ALL SELECT v FROM public.others", "good")
				if len(letters.rejections) != 1 || letters.rejections[0].Place.Topic != "app.public.others" {
					t.Errorf("the letters are %+v", letters.rejections)
				}
				return
			}
			if pipeline.CodeOf(err) != CodeRow {
				t.Errorf("ends with %v", err)
			}
			d.wants("SELECT coalesce(to_regclass('public.items')::text, 'none')", "none")
		})
	}
}

// writeBoth opens a group and commits a row of each table.
func writeBoth(g *Group, item, other string) error {
	ctx := context.Background()
	if _, err := g.Open(ctx); err != nil {
		return err
	}
	for i, v := range []string{item, other} {
		table := []*schema.Table{sinktest.Items, sinktest.Others}[i]
		c := put(table, schema.Int(1), text(v))
		c.Topic, c.Offset = uint16(i), 7
		if err := g.Write(ctx, pipeline.Batch{Tables: []*schema.Table{table}, Topic: uint16(i), Changes: []pipeline.Change{c}}); err != nil {
			return err
		}
	}
	return g.Commit(ctx, whole(1))
}

// TestSeveralOutOfStep tells that tables which do not stand at one place are all filled
// anew: somebody dropped the position of one.
func TestSeveralOutOfStep(t *testing.T) {
	d := newDB(t)
	all := d.both("public")
	g := NewGroup(all)
	if err := errors.Join(writeBoth(g, "a", "x"), g.Close()); err != nil {
		t.Fatal(err)
	}
	d.do("DELETE FROM public.evert_sinks WHERE sink = 'test.sink/others'; DELETE FROM public.others")
	g = NewGroup(all)
	defer g.Close()
	_, err := g.Open(t.Context())
	var renewal *deliver.Renewal
	if !errors.As(err, &renewal) {
		t.Fatalf("opens with %v", err)
	}
}

// TestSeveralDeferred tells that tables which refer to one another are written in one
// transaction, whichever comes first: where their keys are deferred, and where they are
// not, row by row.
func TestSeveralDeferred(t *testing.T) {
	for _, deferred := range []string{"DEFERRABLE INITIALLY DEFERRED", ""} {
		t.Run(deferred, func(t *testing.T) {
			d := newDB(t)
			d.do(`CREATE TABLE public.others (id bigint PRIMARY KEY, v text);
				CREATE TABLE public.items (id bigint PRIMARY KEY REFERENCES public.others ` + deferred + `, v text)`)
			g := NewGroup(d.both("public"))
			defer g.Close()
			if err := writeBoth(g, "a", "x"); err != nil {
				t.Fatal(err)
			}
			d.wants("SELECT i.v, o.v FROM public.items i JOIN public.others o USING (id)", "a|x")
		})
	}
}

// written puts a row into each table, and opens what audits them.
func (d *db) written(all []Config) *GroupAuditor {
	d.t.Helper()
	g := NewGroup(all)
	if err := errors.Join(writeBoth(g, "a", "x"), g.Close()); err != nil {
		d.t.Fatal(err)
	}
	a, err := OpenGroupAuditor(d.t.Context(), all)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = a.Close() })
	return a
}

// TestSeveralAudited tells that verify names the table, finds what differs in each, and
// puts it right (S14).
func TestSeveralAudited(t *testing.T) {
	d := newDB(t)
	all := d.both("public")
	a := d.written(all)
	c := put(sinktest.Others, schema.Int(1), text("x"))
	c.Topic = 1
	id, form, err := a.Expect(&c)
	if err != nil {
		t.Fatal(err)
	}
	own, want := string(id), string(form)
	if got := a.Name(id); got != "public.others 1" {
		t.Errorf("the row is called %q", got)
	}
	held := map[string]string{}
	if err := a.Contents(t.Context(), func(id, form []byte) error { held[string(id)] = string(form); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(held) != 2 || held[own] != want {
		t.Errorf("the tables hold %q, want %q of %q among them", held, want, own)
	}
	d.do("UPDATE public.others SET v = 'wrong'")
	if err := a.Repair(t.Context(), []deliver.Fix{{ID: []byte(own), Change: &c}}); err != nil {
		t.Fatal(err)
	}
	d.wants("SELECT v FROM public.items UNION ALL SELECT v FROM public.others", "a", "x")
}

// TestSeveralRepaired tells that rows which refer to one another are put right in one
// transaction, whichever table comes first (S14).
func TestSeveralRepaired(t *testing.T) {
	d := newDB(t)
	d.do(`CREATE TABLE public.others (id bigint PRIMARY KEY, v text);
		CREATE TABLE public.items (id bigint PRIMARY KEY REFERENCES public.others DEFERRABLE INITIALLY DEFERRED, v text)`)
	all := d.both("public")
	a := d.written(all)
	var fixes []deliver.Fix
	for i, table := range []*schema.Table{sinktest.Items, sinktest.Others} {
		c := put(table, schema.Int(1), text([]string{"a", "x"}[i]))
		c.Topic = uint16(i)
		id, _, err := a.Expect(&c)
		if err != nil {
			t.Fatal(err)
		}
		fixes = append(fixes, deliver.Fix{ID: bytes.Clone(id), Change: &c})
	}
	for range 2 { // what one reading of the topics puts right is bounded: there may be another
		d.do("DELETE FROM public.items; DELETE FROM public.others")
		if err := a.Repair(t.Context(), fixes); err != nil {
			t.Fatal(err)
		}
		d.wants("SELECT i.v, o.v FROM public.items i JOIN public.others o USING (id)", "a|x")
	}
}

// TestSeveralApart tells that a row which one table does not take goes alone, though
// rows of the others refer to rows that are written, or taken away, behind them (S13).
func TestSeveralApart(t *testing.T) {
	d := newDB(t)
	for name, parent := range map[string]int{"the parent first": 0, "the child first": 1} {
		for bad := range 2 {
			t.Run(fmt.Sprintf("%s, table %d refuses", name, bad), func(t *testing.T) {
				d.t = t
				d.do("DROP TABLE IF EXISTS public.items, public.others, public.evert_sinks")
				tables := []string{"items", "others"}
				d.do(fmt.Sprintf(`CREATE TABLE public.%[1]s (id bigint PRIMARY KEY, v text CHECK (v <> 'bad'));
					CREATE TABLE public.%[2]s (id bigint PRIMARY KEY REFERENCES public.%[1]s DEFERRABLE INITIALLY DEFERRED, v text CHECK (v <> 'bad'))`,
					tables[parent], tables[1-parent]))
				all, letters := d.both("public"), &kept{}
				all[0].Rejects, all[1].Rejects = letters, letters
				g := NewGroup(all)
				defer g.Close()
				if err := writeBoth(g, "old", "old"); err != nil {
					t.Fatal(err)
				}
				for i, table := range []*schema.Table{sinktest.Items, sinktest.Others} {
					changes := []pipeline.Change{gone1(table, schema.Int(1)), put(table, schema.Int(2), text("new")), put(table, schema.Int(4), text("new"))}
					if i == parent || i == bad { // a child that is refused has its parent
						changes = append(changes, put(table, schema.Int(3), text([]string{"good", "bad"}[btoi(i == bad)])))
					}
					for n := range changes {
						changes[n].Topic, changes[n].Offset = uint16(i), uint64(10+n)
					}
					if err := g.Write(t.Context(), pipeline.Batch{Tables: []*schema.Table{table}, Topic: uint16(i), Changes: changes}); err != nil {
						t.Fatal(err)
					}
				}
				if err := g.Commit(t.Context(), whole(2)); err != nil {
					t.Fatal(err)
				}
				for i, table := range tables {
					want := []string{"2", "4"}
					if i == parent && i != bad {
						want = []string{"2", "3", "4"}
					}
					d.wants("SELECT id FROM public."+table+" ORDER BY id", want...)
				}
				want := deliver.Place{Topic: "app.public." + tables[bad], Offset: 13}
				if len(letters.rejections) != 1 || letters.rejections[0].Place != want {
					t.Errorf("the letters are %+v, want one of %+v", letters.rejections, want)
				}
			})
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
