package postgres

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

func TestKeptColumns(t *testing.T) {
	t.Parallel()
	t.Run("what is packed is read again", func(t *testing.T) {
		column := rapid.Custom(func(t *rapid.T) shapeColumn {
			return shapeColumn{num: rapid.IntRange(0, 1600).Draw(t, "num"), name: rapid.String().Draw(t, "name"), typ: rapid.Uint32().Draw(t, "typ"), typmod: rapid.Int32().Draw(t, "typmod")}
		})
		rapid.Check(t, func(t *rapid.T) {
			k := kept(rapid.MapOf(rapid.Uint32(), rapid.SliceOf(column)).Draw(t, "kept"))
			s, err := decodeState(state{Slot: "s"}.keep(k).encode())
			if err != nil || len(k) != len(s.kept) || len(k) > 0 && !reflect.DeepEqual(k, s.kept) {
				t.Fatalf("%v is read as %v (%v)", k, s.kept, err)
			}
		})
	})
	t.Run("damage is told and not guessed around", func(t *testing.T) {
		whole := kept{7: {{num: 1, name: "id", typ: 20, typmod: -1}}}.pack()
		for _, b := range [][]byte{whole[:len(whole)/2], []byte("nonsense"), deflated([]byte{7, 1, 1, 20}), deflated([]byte{7, 1, 1, 20, 1, 99, 'x'})} {
			_, err := decodeState(state{Columns: b}.encode())
			wantCode(t, err, CodeState)
		}
	})
	t.Run("I9 a hundred tables of twenty columns take a few kilobytes", func(t *testing.T) {
		k := kept{}
		for oid := range uint32(100) {
			for i := range 20 {
				k[20000+oid] = append(k[20000+oid], shapeColumn{num: i + 1, name: fmt.Sprintf("column_%d_of_%d", i, oid%7), typ: 25, typmod: -1})
			}
		}
		if n := len(k.pack()); n > 8<<10 {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestStateIsThatOfItsPlace(t *testing.T) {
	t.Parallel()
	s := newScript(t, 2)
	s.a.keep(state{}.keep(kept{1: {{num: 1, name: "a"}}}))
	s.a.rels[1].shape.columns = []shapeColumn{{num: 1, name: "a"}}
	s.a.settle()
	var columns []string
	note := func(r *pipeline.Resume) {
		if r != nil {
			st, err := decodeState(r.State)
			if err != nil {
				t.Fatal(err)
			}
			columns = append(columns, st.kept[1][0].name)
		}
	}
	s.a.emit = func(b *handover.Batch) error { note(b.WholeEnd); note(b.PartEnd); return s.emit(b) }
	s.a.shape = func(m *pgoutput.RelationMessage, before []shapeColumn) (*shape, error) {
		now := *s.a.rels[1].shape
		now.columns = []shapeColumn{{num: 1, name: string(m.Columns[0].Name)}}
		s.out = append(s.out, before[0].name+" became "+now.columns[0].name)
		return &now, nil
	}
	alter := func(name string) {
		s.send(pgoutput.Relation, pgoutput.Decoder{Relation: pgoutput.RelationMessage{ID: 1, Columns: []pgoutput.RelationColumn{{Flags: 1, Name: []byte(name), OID: 9}}}})
	}
	s.begin(100)
	s.rows(0, "1")
	s.commit(100)
	s.begin(200)
	alter("b")
	s.rows(0, "2")
	if err := s.a.interrupt(); err != nil { // nothing of 200 was handed over, nor is it known
		t.Fatal(err)
	}
	s.want("a became b", "2.0 1", "end 0/6E #2")
	for range 2 { // with the connection lost behind the first part
		s.begin(200)
		s.rows(0, "2", "3")
		alter("b")
		s.rows(0, "4")
		if err := s.a.interrupt(); err != nil {
			t.Fatal(err)
		}
	}
	s.begin(200)
	s.rows(0, "2", "3")
	alter("b")
	s.rows(0, "4")
	s.commit(200)
	s.want("3.0 2", "3.1 3", "part 0/6E #2 +2", "a became b", "a became b", "a became b", "3.2 4", "end 0/D2 #3")
	wantLines(t, columns, "a", "a", "b")
}

func TestTableChangeIsNotForgotten(t *testing.T) {
	t.Parallel()
	t.Run("P21 a table that has stopped has so after a restart as well", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY, s text); INSERT INTO t VALUES (1, 'a')")
		r := open(t, d.config(), pipeline.Resume{})
		r.snapshot()
		d.do("ALTER TABLE t ADD COLUMN x int NOT NULL DEFAULT 7")
		d.do("INSERT INTO t VALUES (2, 'b', 8)")
		wantCode(t, r.stops("public.t"), CodeTableChanged)
		for range 2 {
			wantLines(t, r.sync(d))
			r = open(t, d.config(), r.close())
			refusal := wantCode(t, r.stops("public.t"), CodeTableChanged)
			d.do("INSERT INTO t VALUES (3, 'c', 8) ON CONFLICT (id) DO UPDATE SET s = 'd'")
			if refusal.Where != "public.t" || !strings.Contains(refusal.What, "column x") {
				t.Errorf("says %s: %s", refusal.Where, refusal.What)
			}
		}
	})
	for ddl, code := range map[string]pipeline.Code{
		"ALTER TABLE t ADD COLUMN x int DEFAULT 7":                    CodeTableChanged,
		"ALTER TABLE t RENAME COLUMN s TO z":                          CodeTableChanged,
		"ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN s int": CodeTableChanged,
		"ALTER TABLE t ALTER COLUMN n TYPE bigint":                    CodeTableChanged,
		"ALTER TABLE t DROP COLUMN s; ALTER TABLE t ADD COLUMN y int": "",
		"ALTER TABLE t ALTER COLUMN v TYPE varchar(20)":               "",
	} {
		t.Run("P21 while down, and no row tells: "+ddl, func(t *testing.T) {
			d := newDB(t)
			d.do("CREATE TABLE t (id int PRIMARY KEY, s text, n int, v varchar(10)); INSERT INTO t VALUES (1, 'a', 2, 'v')")
			r := open(t, d.config(), pipeline.Resume{})
			r.snapshot()
			from := r.close()
			d.do("%s", ddl)
			if code != "" {
				wantCode(t, open(t, d.config(), from).stops("public.t"), code)
				return
			}
			r = open(t, d.config(), from)
			d.do("INSERT INTO t (id) VALUES (5)")
			r.sync(d)
			from = r.close()
			s, err := decodeState(from.State)
			if err != nil || bytes.Equal(s.Columns, r.source.initial.Columns) {
				t.Errorf("the state is still that of the old columns (%v)", err)
			}
			open(t, d.config(), from).sync(d)
		})
	}
	t.Run("a table that was left out for a while counts as never copied", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
		c := d.config()
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		from := r.close()
		without := c
		without.Match = func(_, table string) bool { return table == "t" }
		r = open(t, without, from)
		d.do("INSERT INTO u VALUES (1)") // nobody captures it
		d.do("INSERT INTO t VALUES (1)")
		r.sync(d)
		from = r.close()
		c.Named = []pgsql.TableName{{Schema: "public", Name: "u"}}
		r = open(t, c, from)
		lines := r.until(func(b pipeline.Batch) bool { return len(b.Copies) > 0 && b.Copies[0].Done })
		wantLines(t, lines, "r u 1")
	})
}
