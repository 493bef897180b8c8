package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// P45: a database's encoding is nobody's business but the server's, except where
// it has none.
func TestServerEncodings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ encoding, hex, text string }{
		{"LATIN1", "6772fcdf65", "grüße"},
		{"EUC_JP", "c6fccbdc", "日本"},
		{"UTF8", "f09f9880", "😀"},
	} {
		t.Run("P45 "+c.encoding, func(t *testing.T) {
			d := encodedDB(t, c.encoding)
			value := "convert_from('\\x" + c.hex + "', '" + c.encoding + "')"
			d.do("CREATE TABLE t (id int PRIMARY KEY, s text, a text[], j jsonb); INSERT INTO t SELECT 1, s, ARRAY[s], to_jsonb(s) FROM %s s", value)
			r := open(t, d.config(), pipeline.Resume{})
			want := strings.ReplaceAll(` t 1|S|{S}|"S"`, "S", c.text)
			wantLines(t, r.snapshot(), "r"+want)
			d.do("UPDATE t SET id = id")
			wantLines(t, r.sync(d), "u"+want)
		})
	}
	t.Run("P45 SQL_ASCII without a policy is refused", func(t *testing.T) {
		d := encodedDB(t, "SQL_ASCII")
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		_, err := tryOpen(t, d.config(), pipeline.Resume{})
		wantCode(t, err, preflight.CodeEncoding)
	})
	t.Run("P45 a policy where there is an encoding is refused", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE t (id int PRIMARY KEY)")
		c := d.config()
		c.InvalidText = pgvalue.Latin1
		_, err := tryOpen(t, c, pipeline.Resume{})
		wantCode(t, err, preflight.CodeEncoding)
	})
	for _, c := range []struct {
		name     string
		policy   pgvalue.Invalid
		readable string
	}{
		{"latin1", pgvalue.Latin1, "grüße"},
		{"replace", pgvalue.Replace, "gr\uFFFD\uFFFDe"},
	} {
		for _, text := range []bool{false, true} {
			t.Run("P45 SQL_ASCII "+c.name, func(t *testing.T) {
				d := encodedDB(t, "SQL_ASCII")
				d.do(`CREATE TABLE t (id int PRIMARY KEY, s text, a text[]);
					INSERT INTO t VALUES (1, E'gr\xfc\xdfe', ARRAY[E'gr\xfc\xdfe', 'ok']), (2, 'wirklich grün', NULL)`)
				conf := d.config()
				conf.InvalidText, conf.Text = c.policy, text
				r := open(t, conf, pipeline.Resume{})
				wantLines(t, r.snapshot(), "r t 1|"+c.readable+"|{"+c.readable+",ok}", "r t 2|wirklich grün|NULL")
				d.do("UPDATE t SET id = id")
				wantLines(t, r.sync(d), "u t 1|"+c.readable+"|{"+c.readable+",ok}", "u t 2|wirklich grün|NULL")
				warned := slices.ContainsFunc(r.source.facts.Warnings(conf.InvalidText), func(f pipeline.Finding) bool { return f.Code == preflight.CodeEncoding })
				if !warned {
					t.Error("a check does not warn of it")
				}
			})
		}
	}
}

// encodedDB is a database of an encoding of its own.
func encodedDB(t *testing.T, encoding string) *db {
	t.Helper()
	server := pg.Server(t)
	name := slotSafe(strings.ToLower(t.Name()))
	name = "enc_" + name[len(name)-20:]
	pgtest.DatabaseAs(t, server, name, "ENCODING '"+encoding+"' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	return dbAt(t, server.URL(name))
}
