package postgres

import (
	"errors"
	"testing"

	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

func (r *run) wantRenewal(err error) {
	r.t.Helper()
	var renewal *deliver.Renewal
	if !errors.As(err, &renewal) {
		r.t.Fatalf("got %v, want a Renewal", err)
	}
}

func TestTablesOfOthers(t *testing.T) {
	t.Run("rows of somebody else are refused, and taken over if that is wanted", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text, extra int); INSERT INTO items VALUES (1, 'theirs', 11), (2, 'theirs', 22), (3, 'same', 33)")
		r, s := d.run(), items()
		_, err := r.tryOpen()
		wantCode(t, err, CodeRows)
		found, err := Check(t.Context(), r.config, items())
		if err != nil || len(found) != 1 || found[0].Code != CodeRows {
			t.Errorf("check found %v, %v", found, err)
		}
		r.config.Adopt = true
		r.open()
		r.write(put(s, schema.Int(1), text("ours")), put(s, schema.Int(3), text("same")), put(s, schema.Int(4), text("new")))
		d.wants("SELECT id, v FROM items ORDER BY id", "1|theirs", "2|theirs", "3|same")
		same := d.get("SELECT ctid, xmin FROM items WHERE id = 3")
		r.commit()
		d.wants("SELECT * FROM items ORDER BY id", "1|ours|11", "3|same|33", "4|new|NULL")
		d.wants("SELECT ctid, xmin FROM items WHERE id = 3", same)
		r.config.Adopt = false // the table is recorded as ours now
		r.open()
	})
	t.Run("rows that come while a fill runs", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text)")
		r, s := d.run(), items()
		r.open()
		r.write(rows(s, 1, 3, "ours")...)
		d.do("INSERT INTO items VALUES (9, 'theirs')")
		wantCode(t, r.tryCommit(), CodeRows)
		d.wants("SELECT * FROM items", "9|theirs")
	})
	t.Run("S13 GENERATED ALWAYS AS IDENTITY takes the topic's keys", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)")
		r, s := d.run(), items()
		r.filled(s, 2)
		r.write(rows(s, 2, 3, "second")...)
		r.commit()
		d.wants("SELECT * FROM items ORDER BY id", "1|first", "2|second", "3|second")
	})
}

func TestSwitchKeepsWhatHangsOnTheTable(t *testing.T) {
	t.Run("R16 grants, views, indexes and foreign keys stay", func(t *testing.T) {
		d := newDB(t)
		r, s := d.run(), items()
		r.filled(s, 5)
		d.do(`GRANT SELECT ON items TO PUBLIC; CREATE VIEW over AS SELECT * FROM items; CREATE INDEX by_v ON items (v);
			CREATE TABLE children (id bigint REFERENCES items); INSERT INTO children VALUES (1), (2)`)
		before := d.get("SELECT oid, relacl FROM pg_class WHERE relname = 'items'") + d.get("SELECT ctid, xmin FROM items WHERE id <= 2")
		reader := d.dial()
		if _, err := reader.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM items"); err != nil {
			t.Fatal(err)
		}
		r.renew()
		r.open()
		r.write(rows(s, 1, 2, "first")...)
		r.write(rows(s, 3, 3, "other")...)
		r.commit()
		d.wants("SELECT * FROM over ORDER BY id", "1|first", "2|first", "3|other")
		if after := d.get("SELECT oid, relacl FROM pg_class WHERE relname = 'items'") + d.get("SELECT ctid, xmin FROM items WHERE id <= 2"); after != before {
			t.Errorf("before %s, after %s: rows that are the same were written, or it is another table", before, after)
		}
		d.wants("SELECT count(*) FROM pg_indexes WHERE tablename = 'items'", "2")
		d.wants("SELECT count(*) FROM pg_class WHERE relname ~ 'evert_fill'", "0")
		var old int
		if err := reader.QueryRow(t.Context(), "SELECT count(*) FROM items").Scan(&old); err != nil || old != 5 {
			t.Errorf("an older reader sees %d rows, %v", old, err)
		}
	})
	t.Run("a fill of our own becomes the table under the table's names", func(t *testing.T) {
		d := newDB(t)
		r := d.run(func(c *Config) { c.Table.Name = "Odd \"items\" of a name that is as long as Postgres lets it be: 6" })
		r.filled(items(), 2)
		d.wants("SELECT relname FROM pg_class WHERE relname ~ '^Odd' ORDER BY relkind, 1", `Odd "items" of a name that is as long as Postgres_`+hash([]byte(r.config.Table.Name))[:8]+"_pkey", r.config.Table.Name)
	})
}

func TestTableIsHurt(t *testing.T) {
	for _, c := range []struct{ name, hurt string }{
		{"dropped", "DROP TABLE items"},
		{"made anew", "DROP TABLE items; CREATE TABLE items (id bigint PRIMARY KEY, v text)"},
		{"robbed of a column", "ALTER TABLE items DROP COLUMN v"},
	} {
		t.Run("a table that is "+c.name+" is filled anew", func(t *testing.T) {
			d := newDB(t)
			r, s := d.run(), items()
			r.filled(s, 2)
			d.do(c.hurt)
			r.write(rows(s, 3, 3, "x")...)
			r.wantRenewal(r.tryCommit())
			_, err := r.tryOpen()
			r.wantRenewal(err)
			r.renew()
			r.open()
			r.write(rows(s, 1, 3, "again")...)
			r.commit()
			d.wants("SELECT v, count(*) FROM items GROUP BY v", "again|3")
		})
	}
	t.Run("a fill that is dropped begins again", func(t *testing.T) {
		d := newDB(t)
		r, s := d.run(), items()
		r.open()
		r.write(rows(s, 1, 3, "x")...)
		if err := r.target.Commit(t.Context(), filling("some")); err != nil {
			t.Fatal(err)
		}
		if from := r.open(); string(from.State) != "some" {
			t.Fatalf("goes on from %+v", from)
		}
		d.do("DROP TABLE items__evert_fill")
		if from := r.open(); !from.IsZero() {
			t.Errorf("goes on from %+v", from)
		}
	})
}
