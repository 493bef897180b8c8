package mysql

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// M22 files follow each other by number, and positions within a file likewise; both are
// compared as numbers, beyond the digits that they are written with.
func TestLogPositions(t *testing.T) {
	t.Parallel()
	inOrder := []string{"bin.000009:99", "bin.000009:100", "bin.000010:4", "bin.000099:7", "bin.000100:4", "bin.999999:4", "bin.1000000:4", "bin.1000000:4294967300"}
	for i, text := range inOrder {
		for j, other := range inOrder {
			got, err := Reached(text, other)
			if err != nil || got != (i >= j) {
				t.Errorf("%s is behind %s: %v, %v", text, other, got, err)
			}
		}
		if p, err := parsePlace(text); err != nil || p.String() != text {
			t.Errorf("%s is printed as %s (%v)", text, p, err)
		}
	}
	for _, c := range [][2]string{{"bin.000009:4", "log.000001:4"}, {"bin.000009:4", "0-1-1"}, {"0-1-1", "bin.000001:4"}, {"bin.000009:4", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1"}} {
		if got, err := Reached(c[0], c[1]); got || err != nil {
			t.Errorf("%s is behind %s: %v, %v", c[0], c[1], got, err)
		}
	}
	for _, text := range []string{"bin.000009", "bin.x:4", "bin.000009:x", ".000009:4", "bin.000009:-4"} {
		if p, err := parsePlace(text); err == nil {
			t.Errorf("%q is read as %s", text, p)
		}
	}
	p, _ := parseLogPosition("bin.000001:4294967000")
	if p = p.to(200); p.offset != math.MaxUint32+201 {
		t.Errorf("the log says 200 beyond 4 GiB, and that is %d", p.offset)
	}
}

// A position that is a file's is good on its own server, as long as that has the file.
func TestGapsByPosition(t *testing.T) {
	t.Parallel()
	own := startOwn(t, nil)
	own.byPosition = true
	flush := "FLUSH BINARY LOGS"
	// left is a source's place, and the server's log a little further.
	left := func(d *db) pipeline.Resume {
		d.Helper()
		d.do("REPLACE INTO a VALUES (2, 'before')")
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		r.close()
		d.do("REPLACE INTO a VALUES (2, 'behind')")
		return r.place
	}
	t.Run("M22 a log of many small files", func(t *testing.T) {
		d := own.under(t)
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		for range 12 {
			d.do("REPLACE INTO a VALUES (3, 'x')", flush)
			r.caught()
		}
		if !strings.HasSuffix(r.place.At.Native, d.lastLog()+r.place.At.Native[strings.IndexByte(r.place.At.Native, ':'):]) {
			t.Errorf("an idle source stays at %s; the log is at %s", r.place.At.Native, d.lastLog())
		}
		r.reopen(d.config("a")).caught().equal("a")
	})
	t.Run("M02 another server", func(t *testing.T) {
		d := own.under(t)
		from := left(d)
		s, err := decodeState(from.State)
		if err != nil {
			t.Fatal(err)
		}
		s.Server = "another"
		from.State = s.encode()
		if r := d.refused(d.config("a"), from); r.Code != CodeOtherServer {
			t.Errorf("got %v", r)
		}
	})
	t.Run("M02 GTIDs and positions are not one another", func(t *testing.T) {
		d := own.under(t)
		c := d.config("a")
		c.byPosition = false
		if r := d.refused(c, left(d)); r.Code != CodeOtherServer {
			t.Errorf("a position where there are GTIDs: %v", r)
		}
		r := d.reader(c, pipeline.Resume{})
		if err := r.source.Open(t.Context(), pipeline.Resume{}); err != nil {
			t.Fatal(err)
		}
		r.copied().close()
		if r := d.refused(d.config("a"), r.place); r.Code != CodeGTIDOff {
			t.Errorf("GTIDs where there are none: %v", r)
		}
	})
	t.Run("M01 the file was thrown away", func(t *testing.T) {
		d := own.under(t)
		from := left(d)
		d.do(flush, flush)
		for first := ""; first != d.lastLog(); first = d.firstLog() { // one that is still read stays
			d.do("PURGE BINARY LOGS TO '" + d.lastLog() + "'")
		}
		if r := d.refused(d.config("a"), from); r.Code != CodePurged {
			t.Errorf("got %v", r)
		}
	})
	t.Run("M04 a power cut made the server forget what was captured", func(t *testing.T) {
		d := own.under(t)
		from := d.open(d.config("a"), left(d)).caught().place
		path := filepath.Join(d.server.Dir(), "data", d.lastLog())
		d.server.Kill()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, info.Size()-1); err != nil {
			t.Fatal(err)
		}
		if err := d.server.Restart(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if r := d.refused(d.config("a"), from); r.Code != CodeOtherServer {
			t.Errorf("got %v", r)
		}
	})
	t.Run("M22 a log that was reset, and has the position again", func(t *testing.T) {
		d := own.under(t)
		reset := "RESET MASTER"
		if d.newWords() {
			reset = "RESET BINARY LOGS AND GTIDS"
		}
		d.do(reset)
		from := left(d)
		was, err := decodeState(from.State)
		if err != nil || was.Log == nil {
			t.Fatalf("the state does not tell its file: %v", err)
		}
		d.comesTo("another second", func() bool { return d.get("SELECT unix_timestamp() > "+fmt.Sprint(was.Log.Made)) == "1" })
		d.do(reset)
		for again := false; !again; {
			d.do("REPLACE INTO a VALUES (2, 'another history')")
			if again, err = Reached(d.place(), from.At.Native); err != nil {
				t.Fatal(err)
			}
		}
		if r := d.open(d.config("a"), from).stopped(); r.Code != CodeOtherServer || !strings.Contains(r.What, "anew") {
			t.Errorf("got %v", r)
		}
	})
}

// M23 A snapshot waits for whoever is writing to its tables, for a moment, and shows then
// what lies before its place.
func TestLockedSnapshot(t *testing.T) {
	t.Parallel()
	d := newUnnumberedDB(t)
	d.do("CREATE TABLE a (id int primary key)", "INSERT INTO a VALUES (1)")
	writer := d.begun("INSERT INTO a VALUES (2)")
	s := New(d.config("a"))
	defer s.Close()
	side, err := s.config.dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer side.close()
	w := &copier{session: side, source: s, tables: []TableName{{d.name, "a"}}}
	if err := w.openLocked(t.Context()); serverCode(err) != lockTimeout || !isPassing(err) {
		t.Fatalf("it does not wait for a writer: %v", err)
	}
	if _, err := writer.Execute("COMMIT"); err != nil {
		t.Fatal(err)
	}
	before := d.place()
	if err := w.openLocked(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.do("INSERT INTO a VALUES (3)") // the lock is let go
	rows, err := w.query(t.Context(), "SELECT count(*) FROM "+w.tables[0].sql())
	if err != nil || rows.int(0, 0) != 2 {
		t.Errorf("the snapshot has %v rows (%v)", rows, err)
	}
	if ok, err := Reached(w.at.String(), before); !ok || err != nil {
		t.Errorf("the snapshot is at %s, and the commit before %s", w.at, before)
	}
	if ok, _ := Reached(w.at.String(), d.place()); ok {
		t.Errorf("the snapshot is at %s, behind what it does not show", w.at)
	}
}
