package mysql

import (
	"slices"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"
)

// The server lists a prepared XA transaction, and the log names it: that must be the same
// name, since a snapshot waits for one that is committed and still listed (M13).
func TestInDoubt(t *testing.T) { // not beside others: a prepared XA transaction holds up every copy from the server
	d := newDB(t)
	if !d.mariaDB() || d.byPosition {
		return // on MySQL what is in the log before it is seen has an owned GTID
	}
	d.do("CREATE TABLE a (id int primary key)", "INSERT INTO a VALUES (1)")
	from := d.place()
	name := "'" + d.name + "é','b" + d.name + "',77"
	d.prepare(name, "INSERT INTO a VALUES (2)")
	defer d.do("XA COMMIT " + name)
	d.do("INSERT INTO a VALUES (3)")
	var logged string
	for _, e := range d.logged(from) {
		if q, ok := e.Event.(*replication.QueryEvent); ok {
			if s := parseStatement(string(q.Query), false); s.kind == stXA && s.rest != "" {
				logged = s.rest
			}
		}
	}
	w := &copier{session: d.session(), source: &Source{}}
	listed, err := w.prepared(t.Context())
	if err != nil || logged == "" || !slices.Contains(listed, logged) {
		t.Fatalf("the log names it %q, the server lists %q (%v)", logged, listed, err)
	}
	if err := w.clear(t.Context(), []string{logged}); err != errInDoubt {
		t.Errorf("a snapshot does not wait for it: %v", err)
	}
	if err := w.clear(t.Context(), []string{"X'00',X'',1"}); err != nil {
		t.Errorf("a snapshot waits for another: %v", err)
	}
	pin, err := Take(t.Context(), d.config("a"))
	if err != nil {
		t.Fatalf("a pin waits for one that is prepared alone: %v", err)
	}
	defer pin.Close()
	if place, want := pin.Native(), d.place(); place != want {
		t.Errorf("the pin is at %s, the log at %s", place, want)
	}
}

// An XA COMMIT that lies before a chunk's place wins over the chunk's row, which may be of
// before it (M13); another transaction there does not.
func TestXANotesWin(t *testing.T) {
	t.Parallel()
	seen, err := parsePlace("0-1-9")
	if err != nil {
		t.Fatal(err)
	}
	by := gtid{domainGTID: domainGTID{0, 1, 7}}
	k := &chunk{isHere: true, seen: seen, keys: map[string]int{"xa": 0, "other": 1}}
	k.note(note{by: by, xa: true, key: "xa"})
	k.note(note{by: by, key: "other"})
	if _, ok := k.keys["xa"]; ok || len(k.keys) != 1 {
		t.Errorf("left are %v", k.keys)
	}
}
