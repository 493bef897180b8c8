package postgres

import (
	"testing"

	"github.com/evertdb/evert/schema"
)

func varcharColumn(name, typ string) schema.Column {
	return schema.Column{Name: name, Type: schema.Type{Kind: schema.KindText, Name: typ}, Nullable: true}
}

func decimalColumn(name string, precision, scale int) schema.Column {
	return schema.Column{Name: name, Type: schema.Type{Kind: schema.KindDecimal, Precision: precision, Scale: scale}, Nullable: true}
}

func TestColumnsComeAndGo(t *testing.T) {
	one := func(id int64, values ...schema.Value) []schema.Value {
		return append([]schema.Value{schema.Int(id)}, values...)
	}
	for name, change := range map[string]func(*Config){"small": func(*Config) {}, "large": func(c *Config) { c.BufferBytes = 1 }} {
		t.Run("a column is added in the middle of a step, "+name, func(t *testing.T) {
			d := newDB(t)
			r := d.run(change)
			a, b := items(), shape(2, intColumn("id"), decimalColumn("n", 5, 2), textColumn("v"))
			r.filled(a, 1)
			r.write(put(a, one(2, text("old"))...), put(b, one(3, schema.Decimal([]byte("1.50")), text("new"))...), put(a, one(4, text("old, from another partition"))...),
				gone1(b, schema.Int(1)))
			r.commit()
			d.wants("SELECT id, v, n FROM items ORDER BY id", "2|old|NULL", "3|new|1.50", "4|old, from another partition|NULL")
			r.open()
			r.write(put(b, one(2, schema.Decimal([]byte("2.00")), text("x"))...))
			r.commit()
			d.wants("SELECT id, v, n FROM items WHERE id = 2", "2|x|2.00")
		})
		t.Run("a column that is gone is kept, "+name, func(t *testing.T) {
			d := newDB(t)
			r := d.run(change)
			a, b := shape(1, intColumn("id"), textColumn("v"), textColumn("w")), shape(2, intColumn("id"), textColumn("w"))
			r.open()
			r.write(put(a, one(1, text("v"), text("w"))...), put(a, one(2, text("v"), text("w"))...))
			r.commit()
			r.write(put(b, one(2, text("later"))...), put(a, one(3, text("v"), text("w"))...))
			r.commit()
			d.wants("SELECT * FROM items ORDER BY id", "1|v|w", "2|NULL|later", "3|v|w")
		})
		t.Run("a column that is gone is dropped, "+name, func(t *testing.T) {
			d := newDB(t)
			r := d.run(change, func(c *Config) { c.DropColumns = true })
			a, b := shape(1, intColumn("id"), textColumn("v"), textColumn("w")), shape(2, intColumn("id"), textColumn("w"))
			r.open()
			r.write(put(a, one(1, text("v"), text("w"))...))
			r.commit()
			r.write(put(b, one(2, text("later"))...), put(a, one(3, text("v"), text("w"))...))
			r.commit()
			d.wants("SELECT * FROM items ORDER BY id", "1|w", "2|later", "3|w")
			r.write(put(a, one(4, text("v"), text("w"))...), put(b, one(5, text("w"))...))
			r.commit()
			d.wants("SELECT * FROM items WHERE id > 3 ORDER BY id", "4|w", "5|w")
			if from := r.open(); from.At.Seq != 3 {
				t.Errorf("goes on from %+v", from)
			}
		})
	}
	t.Run("a column of a table that is not ours", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text)")
		r := d.run()
		r.filled(items(), 1)
		b := shape(2, intColumn("id"), textColumn("v"), textColumn("w"))
		r.write(rows(items(), 2, 2, "x")...)
		d.do(wantCode(t, r.tryWrite(put(b, one(3, text("v"), text("w"))...)), CodeShape).Mend)
		r.open()
		r.write(put(b, one(3, text("v"), text("w"))...))
		r.commit()
		d.wants("SELECT * FROM items ORDER BY id", "1|first|NULL", "3|v|w")
	})
}

func TestTypesChange(t *testing.T) {
	t.Run("a type that grows is altered without a rewrite", func(t *testing.T) {
		d := newDB(t)
		r := d.run()
		a := shape(1, intColumn("id"), varcharColumn("v", "character varying(3)"), decimalColumn("n", 3, 2))
		b := shape(2, intColumn("id"), varcharColumn("v", "character varying(9)"), decimalColumn("n", -1, -1))
		r.open()
		r.write(put(a, schema.Int(1), text("abc"), schema.Decimal([]byte("1.50"))))
		r.commit()
		before := d.get("SELECT pg_relation_filenode('items')")
		r.write(put(b, schema.Int(2), text("abcdefghi"), schema.Decimal([]byte("12345.678"))))
		r.commit()
		d.wants("SELECT * FROM items ORDER BY id", "1|abc|1.50", "2|abcdefghi|12345.678")
		d.wants("SELECT pg_relation_filenode('items')", before)
	})
	for _, c := range []struct {
		name   string
		column schema.Column
		value  schema.Value
		want   string
	}{
		{"that the old values fit", textColumn("n"), text("x"), "x"},
		{"that the old values do not fit", schema.Column{Name: "n", Type: schema.Type{Kind: schema.KindUUID}, Nullable: true}, schema.UUID(make([]byte, 16)), "00000000-0000-0000-0000-000000000000"},
	} {
		t.Run("R16 another type, "+c.name+", fills the table anew", func(t *testing.T) {
			d := newDB(t)
			r := d.run()
			a, b := shape(1, intColumn("id"), intColumn("n"), textColumn("w")), shape(2, intColumn("id"), c.column)
			r.open()
			r.write(put(a, schema.Int(1), schema.Int(11), text("w")), put(a, schema.Int(2), schema.Int(12), text("w")))
			r.commit()
			d.do("GRANT SELECT ON items TO PUBLIC")
			r.wantRenewal(r.tryWrite(put(b, schema.Int(1), c.value)))
			r.renew()
			r.open()
			r.write(put(b, schema.Int(1), c.value))
			d.wants("SELECT n FROM items ORDER BY id", "11", "12")
			r.commit()
			d.wants("SELECT id, n, w FROM items ORDER BY id", "1|"+c.want+"|NULL")
			d.wants("SELECT relacl IS NOT NULL FROM pg_class WHERE relname = 'items'", "t")
		})
	}
	t.Run("a topic that holds rows of several types", func(t *testing.T) {
		d := newDB(t)
		r := d.run()
		small := shape(1, schema.Column{Name: "id", Type: schema.Type{Kind: schema.KindInt, Bits: 32}}, intColumn("n"), intColumn("m"))
		large := shape(2, intColumn("id"), decimalColumn("n", -1, -1), schema.Column{Name: "m", Type: schema.Type{Kind: schema.KindUUID}, Nullable: true})
		r.open()
		r.write(put(small, schema.Int(1), schema.Int(1), schema.Int(1)))
		if err := r.target.Commit(t.Context(), filling("some")); err != nil {
			t.Fatal(err)
		}
		r.write(put(large, schema.Int(1<<40), schema.Decimal([]byte("1.5")), schema.UUID(make([]byte, 16))), put(small, schema.Int(2), schema.Int(2), schema.Int(2)))
		r.commit()
		d.wants("SELECT * FROM items ORDER BY id", "1|1|1", "2|2|2", "1099511627776|1.5|00000000-0000-0000-0000-000000000000")
		r.write(put(small, schema.Int(3), schema.Int(3), schema.Int(3)), put(large, schema.Int(4), schema.Decimal([]byte("4.5")), schema.Null()))
		r.commit()
		d.wants("SELECT * FROM items WHERE id IN (3, 4) ORDER BY id", "3|3|3", "4|4.5|NULL")
	})
	t.Run("a view over the column is in the way", func(t *testing.T) {
		d := newDB(t)
		r := d.run()
		a, b := shape(1, intColumn("id"), intColumn("n")), shape(2, intColumn("id"), textColumn("n"))
		r.open()
		r.write(put(a, schema.Int(1), schema.Int(11)))
		r.commit()
		d.do("CREATE VIEW over AS SELECT n FROM items")
		r.renew()
		r.open()
		r.write(put(b, schema.Int(1), text("x")))
		wantCode(t, r.tryCommit(), CodeShape)
		d.do("DROP VIEW over")
		r.open()
		r.write(put(b, schema.Int(1), text("x")))
		r.commit()
		d.wants("SELECT * FROM items", "1|x")
	})
}

func TestKeys(t *testing.T) {
	nullable := func() *schema.Table {
		s := shape(1, textColumn("city"), intColumn("id"), textColumn("v"))
		s.Columns[1].Nullable = true
		s.Key = []int{0, 1}
		return s
	}
	for name, change := range map[string]func(*Config){"small": func(*Config) {}, "large": func(c *Config) { c.BufferBytes = 1 }} {
		t.Run("a view's key that may be NULL, "+name, func(t *testing.T) {
			d := newDB(t)
			s, r := nullable(), d.run(change)
			r.open()
			if d.get("SELECT current_setting('server_version_num')::int < 150000") == "t" {
				wantCode(t, r.tryWrite(put(s, schema.Null(), schema.Int(1), text("x"))), CodeKey)
				return
			}
			r.write(put(s, schema.Null(), schema.Int(1), text("a")), put(s, text(""), schema.Int(1), text("b")), put(s, schema.Null(), schema.Null(), text("c")))
			r.commit()
			r.write(put(s, schema.Null(), schema.Int(1), text("d")), gone1(s, text(""), schema.Int(1)), gone1(s, schema.Null(), schema.Null()), put(s, text("x"), schema.Null(), text("e")))
			r.commit()
			d.wants("SELECT * FROM items ORDER BY city", "x|NULL|e", "NULL|1|d")
			before := d.get("SELECT xmin FROM items WHERE v = 'd'")
			r.renew()
			r.open()
			r.write(put(s, schema.Null(), schema.Int(1), text("d")), put(s, schema.Null(), schema.Null(), text("f")))
			r.commit()
			d.wants("SELECT * FROM items ORDER BY v", "NULL|1|d", "NULL|NULL|f")
			d.wants("SELECT xmin FROM items WHERE v = 'd'", before)
		})
	}
	t.Run("keys that are equal and look different", func(t *testing.T) {
		d := newDB(t)
		r := d.run()
		s := shape(1, decimalColumn("id", -1, -1), textColumn("v"))
		s.Columns[0].Nullable = false
		one, same := schema.Decimal([]byte("1.0")), schema.Decimal([]byte("1.00"))
		r.open()
		r.write(put(s, one, text("a")))
		r.commit()
		r.write(gone1(s, one), put(s, same, text("b"))) // as a source tells of an update of the key
		r.commit()
		d.wants("SELECT * FROM items", "1.00|b")
		r.write(put(s, one, text("c")))
		r.commit()
		d.wants("SELECT * FROM items", "1.0|c")
	})
	t.Run("two columns, in another order than the table's", func(t *testing.T) {
		d := newDB(t)
		s, r := shape(1, intColumn("a"), textColumn("v"), intColumn("b")), d.run()
		s.Key = []int{2, 0}
		s.Columns[0].Nullable, s.Columns[2].Nullable = false, false
		r.open()
		r.write(put(s, schema.Int(1), text("x"), schema.Int(2)), put(s, schema.Int(2), text("y"), schema.Int(1)))
		r.commit()
		r.write(gone1(s, schema.Int(2), schema.Int(1)))
		r.commit()
		d.wants("SELECT * FROM items", "2|y|1")
	})
	t.Run("nothing but a key", func(t *testing.T) {
		d := newDB(t)
		s, r := shape(1, intColumn("id")), d.run()
		r.open()
		r.write(put(s, schema.Int(1)), put(s, schema.Int(2)))
		r.commit()
		r.write(put(s, schema.Int(1)), gone1(s, schema.Int(2)))
		r.commit()
		d.wants("SELECT * FROM items", "1")
	})
}
