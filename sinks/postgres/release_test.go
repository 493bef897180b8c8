package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// TestSeveralGivesUp tells what becomes of a table that is taken out of a sink's list:
// its rows stay, who wrote it until now writes no more, another sink may have it once it
// says so, and the sink knows it when it is back.
func TestSeveralGivesUp(t *testing.T) {
	d := newDB(t)
	all := d.both("public")
	old := NewGroup(all)
	defer old.Close()
	if err := writeBoth(old, "a", "x"); err != nil {
		t.Fatal(err)
	}
	open := func(target deliver.Target) error {
		t.Helper()
		defer target.Close()
		_, err := target.Open(t.Context())
		return err
	}
	other := all[1]
	other.Name, other.Group = "test.sinks", "test.sinks" // not one of test.sink's
	wantCode(t, open(New(other)), CodeTaken)

	one := NewGroup(all[:1])
	if err := open(one); err != nil {
		t.Fatal(err)
	}
	d.wants("SELECT v FROM public.others", "x")
	wantCode(t, old.Commit(t.Context(), whole(9)), CodeFenced)

	wantCode(t, open(New(other)), CodeRows)
	other.Adopt = true
	if err := open(New(other)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, open(NewGroup(all)), CodeTaken)
	d.do("DELETE FROM public.evert_sinks WHERE sink = 'test.sinks'")
	var renewal *deliver.Renewal
	if err := open(NewGroup(all)); !errors.As(err, &renewal) {
		t.Fatalf("with both tables again it opens with %v", err)
	}
	again := NewGroup(all)
	if err := errors.Join(again.Renew(t.Context()), again.Close()); err != nil {
		t.Fatal(err)
	}
	again = NewGroup(all)
	if err := errors.Join(writeBoth(again, "b", "y"), again.Close()); err != nil {
		t.Fatal(err)
	}
	d.wants("SELECT i.v, o.v FROM public.items i JOIN public.others o USING (id)", "b|y")
}

// TestOneBecomesSeveral tells that a sink of one table which becomes one of a schema, and
// is made one of a table again, is not in its own way.
func TestOneBecomesSeveral(t *testing.T) {
	d := newDB(t)
	all := d.both("public")
	single := all[0]
	single.Name = single.Group
	for _, target := range []deliver.Target{New(single), NewGroup(all), New(single), NewGroup(all)} {
		_, err := target.Open(t.Context())
		if err := errors.Join(err, target.Close()); pipeline.CodeOf(err) != "" || err != nil {
			t.Fatalf("%T opens with %v", target, err)
		}
	}
	d.wants("SELECT sink, claimed IS NULL FROM public.evert_sinks ORDER BY sink COLLATE \"C\"", "test.sink|t", "test.sink/items|f", "test.sink/others|f")
}

// TestReleaseFromZombie tells that a sink which gives up a table gets on although who
// wrote it before hangs inside a transaction, as a process that was stopped does (K05).
func TestReleaseFromZombie(t *testing.T) {
	d := newDB(t)
	all := d.both("public")
	for i := range all {
		all[i].LockWait, all[i].Retries = 100*time.Millisecond, 1000 // however late the server ends the zombie's session
	}
	single := all[0]
	single.Name = single.Group
	for _, next := range []deliver.Target{NewGroup(all[:1]), New(single)} {
		zombie := NewGroup(all)
		if _, err := zombie.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := begin(t.Context(), whole(9), zombie.tables[1:]); err != nil { // it has the row of the table that goes, alone
			t.Fatal(err)
		}
		_, err := next.Open(t.Context())
		if err := errors.Join(err, next.Close()); err != nil {
			t.Fatalf("%T does not get on: %v", next, err)
		}
		if err := zombie.tables[1].commit(t.Context()); err == nil {
			t.Errorf("%T: the zombie committed", next)
		}
		_ = zombie.Close()
	}
}
