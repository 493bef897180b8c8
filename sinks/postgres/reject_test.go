package postgres

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// canary stands in every value that is refused, and in no message.
const canary = "hunter2"

func jsonColumn(name string) schema.Column {
	return schema.Column{Name: name, Type: schema.Type{Kind: schema.KindJSON, Name: "jsonb", Binary: true}, Nullable: true}
}

// faults are tables that do not take every row: what makes them, the row that is
// refused, and what the message names.
func faults() []struct {
	name, arrange string
	bad           func(s *schema.Table) pipeline.Change
	names         []string
} {
	row := func(v, w schema.Value) func(*schema.Table) pipeline.Change {
		return func(s *schema.Table) pipeline.Change { return put(s, schema.Int(2), v, w) }
	}
	json := func(v string) schema.Value { return schema.JSON([]byte(v)) }
	return []struct {
		name, arrange string
		bad           func(s *schema.Table) pipeline.Change
		names         []string
	}{
		{"a foreign key without its row", "CREATE TABLE parents (v text PRIMARY KEY); INSERT INTO parents VALUES ('good'); ALTER TABLE items ADD CONSTRAINT of_parents FOREIGN KEY (v) REFERENCES parents",
			row(text(canary), json(`{}`)), []string{"of_parents", "23503"}},
		{"a foreign key that is deferred", "CREATE TABLE parents (v text PRIMARY KEY); INSERT INTO parents VALUES ('good'); ALTER TABLE items ADD CONSTRAINT of_parents FOREIGN KEY (v) REFERENCES parents DEFERRABLE INITIALLY DEFERRED",
			row(text(canary), json(`{}`)), []string{"of_parents", "23503"}},
		{"unique on another column", "CREATE UNIQUE INDEX one_v ON items (v) WHERE v <> 'good'; INSERT INTO items VALUES (77, '" + canary + "', '{}')",
			row(text(canary), json(`{}`)), []string{"one_v", "23505"}},
		{"a label that an enum lacks", "CREATE TYPE mood AS ENUM ('good'); ALTER TABLE items ALTER COLUMN v TYPE mood USING v::mood",
			row(text(canary), json(`{}`)), []string{"22P02"}},
		{"NOT NULL", "ALTER TABLE items ALTER COLUMN v SET NOT NULL",
			row(schema.Null(), json(`{}`)), []string{"column v", "23502"}},
		{"a number out of range", "ALTER TABLE items ALTER COLUMN id TYPE smallint",
			func(s *schema.Table) pipeline.Change { return put(s, schema.Int(123456), text("good"), json(`{}`)) }, []string{"22003"}},
		{`\u0000 in jsonb`, "SELECT 1", row(text("good"), json(`"`+canary+`\u0000"`)), []string{"22P05"}},
		{"a zero byte in text", "SELECT 1", row(text(canary+"\x00"), json(`{}`)), []string{"22021"}},
		{"a text that is too long", "ALTER TABLE items ALTER COLUMN v TYPE varchar(5)", row(text(canary), json(`{}`)), []string{"22001"}},
		{"a check", "ALTER TABLE items ADD CONSTRAINT no_" + canary[:3] + " CHECK (v <> '" + canary + "')", row(text(canary), json(`{}`)), []string{"no_hun", "23514"}},
		{"a trigger", `CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.v = '` + canary + `' THEN RAISE EXCEPTION 'not %', new.v; END IF; RETURN new; END $$;
			CREATE TRIGGER no BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION no()`, row(text(canary), json(`{}`)), []string{"P0001"}},
	}
}

// TestRefusedRows: rows that the table does not take are found among those that it
// does, on every road, and told of without a value.
func TestRefusedRows(t *testing.T) {
	for _, road := range []struct {
		name   string
		change func(*Config)
	}{{"small", func(*Config) {}}, {"large", func(c *Config) { c.BufferBytes = 1 }}} {
		d := newDB(t)
		for _, f := range faults() {
			t.Run("S13 "+f.name+", "+road.name, func(t *testing.T) { d.fault(t, f.arrange, f.bad, f.names, road.change, false) })
			t.Run("S13 "+f.name+", in a fill, "+road.name, func(t *testing.T) { d.fault(t, f.arrange, f.bad, f.names, road.change, true) })
		}
	}
}

func (d *db) fault(t *testing.T, arrange string, bad func(*schema.Table) pipeline.Change, names []string, road func(*Config), filling bool) {
	d.t = t
	d.do("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE items (id bigint PRIMARY KEY, v text, w jsonb)")
	keep := &kept{}
	r := d.run(road, func(c *Config) { c.Rejects, c.Adopt = keep, true })
	s := shape(1, intColumn("id"), textColumn("v"), jsonColumn("w"))
	r.open()
	if !filling {
		r.write()
		r.commit()
	}
	d.do(arrange)
	good := func(id int64) pipeline.Change { return put(s, schema.Int(id), text("good"), schema.JSON([]byte(`{}`))) }
	stray, _ := strconv.Atoi(d.get("SELECT count(*) FROM items"))
	if filling {
		stray = 0 // they go with the switch
	}
	offset := r.offset
	r.write(good(1), bad(s), good(3))
	r.commit()
	r.write(good(4))
	r.commit()
	refused := 1
	if filling && strings.Contains(arrange, "one_v") {
		refused = 0 // the row that has the value already is one that goes
	}
	d.wants("SELECT count(*) FROM items", strconv.Itoa(4+stray-refused))
	if len(keep.rejections) != refused {
		t.Fatalf("%d rows were refused, want %d", len(keep.rejections), refused)
	}
	if refused == 0 {
		return
	}
	got := keep.rejections[0]
	if got.Place.Topic != "app.public.items" || got.Place.Partition != 3 || got.Place.Offset != int64(offset)+2 {
		t.Errorf("the place is %+v, want offset %d", got.Place, offset+2)
	}
	for _, want := range append(names, "table public.items", "key hash ", string(CodeRow)) {
		if !strings.Contains(got.Why.Error(), want) {
			t.Errorf("the message does not say %q: %v", want, got.Why)
		}
	}
	if strings.Contains(got.Why.Error(), canary) {
		t.Errorf("the message shows a value: %v", got.Why)
	}
	d.stops(t, r, bad(s), good(5))
}

// stops: with the policy stop nothing of a step is written that holds a bad row.
func (d *db) stops(t *testing.T, r *run, changes ...pipeline.Change) {
	t.Helper()
	r.config.Rejects = nil
	r.open()
	before := d.get("SELECT count(*) FROM items")
	err := r.tryWrite(changes...)
	if err == nil {
		err = r.tryCommit()
	}
	if wantCode(t, err, CodeRow); strings.Contains(err.Error(), canary) {
		t.Errorf("the message shows a value: %v", err)
	}
	d.wants("SELECT count(*) FROM items", before)
}

func TestManyRefusedRows(t *testing.T) {
	d := newDB(t)
	d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text CHECK (v <> 'bad'))")
	keep := &kept{}
	r, s := d.run(func(c *Config) { c.Rejects = keep }), items()
	r.open()
	var all []pipeline.Change
	bad := 0
	for id := int64(1); id <= 3000; id++ {
		v := "good"
		if id%97 == 0 {
			v, bad = "bad", bad+1
		}
		all = append(all, put(s, schema.Int(id), text(v)))
	}
	r.write(all...)
	r.commit()
	if len(keep.rejections) != bad {
		t.Errorf("%d rows were refused, want %d", len(keep.rejections), bad)
	}
	d.wants("SELECT count(*) FROM items", fmt.Sprint(3000-bad))
}

func TestUniqueValuesMove(t *testing.T) {
	for name, change := range map[string]func(*Config){"small": func(*Config) {}, "large": func(c *Config) { c.BufferBytes = 1 }} {
		d := newDB(t)
		d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text UNIQUE)")
		r, s := d.run(change), items() // stops at the first row that is refused
		r.open()
		r.write(put(s, schema.Int(1), text("a")), put(s, schema.Int(2), text("b")), put(s, schema.Int(3), text("c")))
		r.commit()
		t.Run("S13 a value moves on along rows, "+name, func(t *testing.T) {
			d.t, r.t = t, t
			r.write(put(s, schema.Int(1), text("b")), put(s, schema.Int(2), text("c")), put(s, schema.Int(3), text("d")))
			r.commit()
			d.wants("SELECT * FROM items ORDER BY id", "1|b", "2|c", "3|d")
		})
		t.Run("S13 two rows exchange their values, "+name, func(t *testing.T) {
			d.t, r.t = t, t
			r.write(put(s, schema.Int(1), text("c")), put(s, schema.Int(2), text("b")))
			r.commit()
			d.wants("SELECT * FROM items ORDER BY id", "1|c", "2|b", "3|d")
		})
	}
}

// TestRefusedRowLeavesNothing: where the sink goes on without a row, an earlier one of
// its key is not there any more, on every road; what the table does not let go stays,
// and that is said.
func TestRefusedRowLeavesNothing(t *testing.T) {
	for name, road := range map[string]func(*Config){"small": func(*Config) {}, "large": func(c *Config) { c.BufferBytes = 1 }} {
		d := newDB(t)
		for _, arrange := range []string{"ALTER TABLE items ADD CHECK (v <> 'bad')", "CREATE TYPE word AS ENUM ('good'); ALTER TABLE items ALTER COLUMN v TYPE word USING v::word"} {
			t.Run("S13 "+arrange+", "+name, func(t *testing.T) {
				d.t = t
				d.do("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE items (id bigint PRIMARY KEY, v text)")
				d.do(arrange)
				keep := &kept{}
				r, s := d.run(road, func(c *Config) { c.Rejects = keep }), items()
				r.open()
				r.write(put(s, schema.Int(1), text("good")), put(s, schema.Int(2), text("good")))
				r.commit()
				r.write(put(s, schema.Int(1), text("bad")), put(s, schema.Int(3), text("good")))
				r.commit()
				d.wants("SELECT id FROM items ORDER BY id", "2", "3")
				if len(keep.rejections) != 1 || strings.Contains(keep.rejections[0].Why.What, "stays") {
					t.Fatalf("rejected: %+v", keep.rejections)
				}
				r.write(put(s, schema.Int(1), text("good")))
				r.commit()
				d.wants("SELECT id FROM items ORDER BY id", "1", "2", "3")
			})
		}
		t.Run("S13 what a foreign key holds stays, "+name, func(t *testing.T) {
			d.t = t
			d.do("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE items (id bigint PRIMARY KEY, v text CHECK (v <> 'bad')); CREATE TABLE children (id bigint REFERENCES items)")
			keep := &kept{}
			r, s := d.run(road, func(c *Config) { c.Rejects = keep }), items()
			r.open()
			r.write(put(s, schema.Int(1), text("good")))
			r.commit()
			d.do("INSERT INTO children VALUES (1)")
			r.write(put(s, schema.Int(1), text("bad")))
			r.commit()
			d.wants("SELECT * FROM items", "1|good")
			if len(keep.rejections) != 1 || !strings.Contains(keep.rejections[0].Why.What, "an earlier row of that key stays") {
				t.Errorf("rejected: %+v", keep.rejections)
			}
		})
	}
}

// TestRefusedRowFreesItsValue: a value that has to be unique is another row's once the
// row that had it is withdrawn, for whatever cause it was refused, and whichever comes
// first.
func TestRefusedRowFreesItsValue(t *testing.T) {
	for name, road := range map[string]func(*Config){"small": func(*Config) {}, "large": func(c *Config) { c.BufferBytes = 1 }} {
		d := newDB(t)
		for _, refused := range []int64{1, 9} {
			for _, cause := range []string{"a check", "a row that stays"} {
				t.Run(fmt.Sprintf("S13 %s, key %d, %s", cause, refused, name), func(t *testing.T) {
					d.t = t
					d.do("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE items (id bigint PRIMARY KEY, v text UNIQUE)")
					keep := &kept{}
					r, s := d.run(road, func(c *Config) { c.Rejects = keep }), items()
					r.open()
					r.write(put(s, schema.Int(refused), text("x")), put(s, schema.Int(5), text("z")), put(s, schema.Int(7), text("y")))
					r.commit()
					if cause == "a check" {
						d.do("DELETE FROM items WHERE id = 7; ALTER TABLE items ADD CHECK (v <> 'y')")
					}
					offset := r.offset
					r.write(put(s, schema.Int(refused), text("y")), put(s, schema.Int(5), text("x")))
					r.commit()
					d.wants("SELECT * FROM items WHERE id <> 7", "5|x")
					if len(keep.rejections) != 1 || keep.rejections[0].Place.Offset != int64(offset)+1 {
						t.Errorf("rejected: %+v", keep.rejections)
					}
				})
			}
		}
	}
}

// TestStrayStays: a row that the topic does not have and a merge cannot delete is no
// dead letter, for no record is about it: the sink stops, and readers see the old rows.
func TestStrayStays(t *testing.T) {
	d := newDB(t)
	keep := &kept{}
	r, s := d.run(func(c *Config) { c.Rejects = keep }), items()
	r.open()
	r.write(put(s, schema.Int(1), text("a")), put(s, schema.Int(2), text("b")))
	r.commit()
	d.do("CREATE TABLE children (id bigint CONSTRAINT of_items REFERENCES items); INSERT INTO children VALUES (2)")
	r.renew()
	r.open()
	r.write(put(s, schema.Int(1), text("c")))
	err := r.tryCommit()
	if wantCode(t, err, CodeStray); !strings.Contains(err.Error(), "of_items") || len(keep.rejections) > 0 {
		t.Errorf("it ended with %v, and rejected %+v", err, keep.rejections)
	}
	d.wants("SELECT * FROM items ORDER BY id", "1|a", "2|b")
	d.do("TRUNCATE children")
	r.open()
	r.write(put(s, schema.Int(1), text("c")))
	r.commit()
	d.wants("SELECT * FROM items ORDER BY id", "1|c")
}
