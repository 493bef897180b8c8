package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// audit compares a table with the changes that made it, as `evert verify` does, and
// gives what differs and what would mend it.
func (r *run) audit(changes []pipeline.Change) (found []string, fixes []deliver.Fix) {
	r.t.Helper()
	a, err := OpenAuditor(r.t.Context(), r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Close()
	type row struct {
		form   []byte
		change *pipeline.Change
	}
	want := map[string]row{}
	for i := range changes {
		id, form, err := a.Expect(&changes[i])
		if err != nil {
			r.t.Fatal(err)
		}
		want[string(id)] = row{bytes.Clone(form), &changes[i]}
	}
	err = a.Contents(r.t.Context(), func(id, form []byte) error {
		w, ok := want[string(id)]
		delete(want, string(id))
		switch {
		case !ok || w.form == nil:
			found, fixes = append(found, "left over "+show(id)), append(fixes, deliver.Fix{ID: bytes.Clone(id), Change: w.change})
		case !bytes.Equal(w.form, form):
			found, fixes = append(found, "different "+show(id)), append(fixes, deliver.Fix{ID: bytes.Clone(id), Change: w.change})
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	for id, w := range want {
		if w.form != nil {
			found, fixes = append(found, "missing "+show([]byte(id))), append(fixes, deliver.Fix{ID: []byte(id), Change: w.change})
		}
	}
	slices.Sort(found)
	return found, fixes
}

// show prints a packed key.
func show(id []byte) string {
	var words []string
	for {
		text, isNull, rest, ok := nextValue(id)
		if !ok {
			return strings.Join(words, ",")
		}
		if isNull {
			text = []byte("NULL")
		}
		words, id = append(words, string(text)), rest
	}
}

func (r *run) repair(fixes []deliver.Fix) {
	r.t.Helper()
	a, err := OpenAuditor(r.t.Context(), r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Close()
	if err := a.Repair(r.t.Context(), fixes); err != nil {
		r.t.Fatal(err)
	}
}

// TestRepairOfWhatMoved tells that a repair writes nothing over what a sink has
// delivered, from another process, since the comparison.
func TestRepairOfWhatMoved(t *testing.T) {
	d := newDB(t)
	r, s := d.run(), shape(1, intColumn("id"), textColumn("v"))
	old := put(s, schema.Int(1), text("old"))
	r.open()
	r.write(old)
	r.commit()
	a, err := OpenAuditor(t.Context(), r.config)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	id, _, err := a.Expect(&old)
	if err != nil {
		t.Fatal(err)
	}
	fixes := []deliver.Fix{{ID: bytes.Clone(id), Change: &old}}
	if err := a.Repair(t.Context(), fixes); err != nil {
		t.Fatalf("at its place: %v", err)
	}
	r.open() // as another process does
	r.write(put(s, schema.Int(1), text("new")))
	r.commit()
	if err := a.Repair(t.Context(), fixes); !errors.Is(err, deliver.ErrMoved) {
		t.Errorf("behind its place: %v", err)
	}
	d.wants("SELECT v FROM items", "new")
}

func TestAudit(t *testing.T) {
	t.Run("S14 three rows are edited, one is deleted, one is added: found and repaired", func(t *testing.T) {
		d := newDB(t)
		r := d.run()
		s := shape(1, intColumn("id"), textColumn("v"), decimalColumn("n", 10, 2))
		var log []pipeline.Change
		for id := int64(1); id <= 20; id++ {
			log = append(log, put(s, schema.Int(id), text(fmt.Sprint("row ", id)), schema.Decimal([]byte("1.50"))))
		}
		log = append(log, gone1(s, schema.Int(20)))
		r.open()
		r.write(log...)
		r.commit()
		if found, _ := r.audit(log); found != nil {
			t.Fatalf("nothing was edited, and found is %q", found)
		}
		d.do(`UPDATE items SET v = 'edited' WHERE id IN (3, 4); UPDATE items SET n = NULL WHERE id = 5; DELETE FROM items WHERE id = 7;
			INSERT INTO items VALUES (20, 'it was deleted', 1), (99, 'never was', 2)`)
		before := d.get("SELECT string_agg(xmin::text, ',' ORDER BY id) FROM items WHERE id IN (1, 2, 6, 8)")
		found, fixes := r.audit(log)
		want := []string{"different 3", "different 4", "different 5", "left over 20", "left over 99", "missing 7"}
		if !slices.Equal(found, want) {
			t.Fatalf("found %q, want %q", found, want)
		}
		r.repair(fixes)
		if found, _ := r.audit(log); found != nil {
			t.Errorf("after the repair found is %q", found)
		}
		d.wants("SELECT string_agg(xmin::text, ',' ORDER BY id) FROM items WHERE id IN (1, 2, 6, 8)", before)
		r.write(put(s, schema.Int(3), text("later"), schema.Null()))
		r.commit()
		d.wants("SELECT v FROM items WHERE id = 3", "later")
	})
	t.Run("S14 every type compares equal with itself", func(t *testing.T) {
		from := newDB(t)
		from.do(zooTypes)
		from.zooTable()
		changes := from.capture("zoo")
		for _, there := range []bool{true, false} {
			to := newDB(t)
			if there {
				to.do(zooTypes)
			}
			r := to.run(func(c *Config) { c.Table.Name = "zoo" })
			r.open()
			r.write(changes...)
			r.commit()
			if found, _ := r.audit(changes); found != nil {
				t.Errorf("with the types there: %v, found %q", there, found)
			}
		}
	})
	t.Run("S14 columns of other types are compared as the server prints them", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE items (id integer PRIMARY KEY, v char(9), n double precision)")
		r := d.run()
		s := shape(1, intColumn("id"), textColumn("v"), decimalColumn("n", 10, 2))
		log := []pipeline.Change{put(s, schema.Int(1), text("x"), schema.Decimal([]byte("1.50"))), put(s, schema.Int(2), schema.Null(), schema.Null())}
		r.open()
		r.write(log...)
		r.commit()
		if found, _ := r.audit(log); found != nil {
			t.Errorf("found %q", found)
		}
		d.do("UPDATE items SET n = 1.25 WHERE id = 1")
		if found, _ := r.audit(log); !slices.Equal(found, []string{"different 1"}) {
			t.Errorf("found %q", found)
		}
	})
	t.Run("a sink that is filling cannot be compared", func(t *testing.T) {
		d := newDB(t)
		r := d.run()
		r.open()
		_, err := OpenAuditor(t.Context(), r.config)
		wantCode(t, err, CodeShape)
	})
}
