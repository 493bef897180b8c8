package postgres

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

func TestNames(t *testing.T) {
	t.Run("X11 names that SQL could take for something else", func(t *testing.T) {
		d := newDB(t)
		d.do(`CREATE SCHEMA "S'; --"`)
		key, other := schema.Column{Name: `i"d`, Type: schema.Type{Kind: schema.KindInt, Bits: 64}}, textColumn(`v, "w"; DROP TABLE evert_sinks; --`)
		s := shape(1, key, other, textColumn("order"), textColumn("$1"), textColumn("c0"), textColumn(`back\slash`))
		for name, change := range map[string]func(*Config){"Small %s": func(*Config) {}, `Large "x"`: func(c *Config) { c.BufferBytes = 1 }} {
			r := d.run(change, func(c *Config) { c.Name, c.Table = "it's "+name, TableName{"S'; --", name} })
			row := func(id int64, v string) pipeline.Change {
				return put(s, schema.Int(id), text(v), text("o"), text("d"), text("c"), text("b"))
			}
			log := []pipeline.Change{row(1, "a"), row(2, "b"), row(3, "c"), gone1(s, schema.Int(3))}
			r.open()
			r.write(log...)
			r.commit()
			r.write(row(1, "a2"), gone1(s, schema.Int(2)))
			r.commit()
			d.wants("SELECT * FROM "+r.config.Table.sql(), "1|a2|o|d|c|b")
			r.renew()
			r.open()
			r.write(log...)
			r.commit()
			d.wants("SELECT * FROM "+r.config.Table.sql()+" ORDER BY 1", "1|a|o|d|c|b", "2|b|o|d|c|b")
			if found, _ := r.audit(log); found != nil {
				t.Errorf("found %q", found)
			}
			found, err := Check(t.Context(), r.config, s)
			if err != nil || pipeline.Failing(found) != nil {
				t.Errorf("check found %v, %v", found, err)
			}
		}
	})
	t.Run("names that no column can have", func(t *testing.T) {
		d := newDB(t)
		for _, name := range []string{"ctid", "xmin", "__evert_offset", strings.Repeat("x", 64)} {
			r := d.run()
			r.open()
			err := r.tryWrite(put(shape(1, intColumn("id"), textColumn(name)), schema.Int(1), text("x")))
			wantCode(t, err, CodeShape)
		}
	})
}

// TestWords: what the server says is worded without what it may hold of rows.
func TestWords(t *testing.T) {
	for state, want := range map[string]pipeline.Code{
		"53100": CodeBusy, "53200": CodeBusy, "53300": CodeBusy, "57P01": CodeBusy, "57P02": CodeBusy, "57P03": CodeBusy, "57014": CodeBusy, "58030": CodeBusy,
		"55P03": CodeBusy, "40001": CodeBusy, "40P01": CodeBusy, "25006": CodeStandby, "42501": CodeRight, "XX000": "", "22003": "", "P0001": "",
	} {
		err := passing("do it", &pgconn.PgError{Code: state, Message: "for " + canary, Detail: canary, Where: canary})
		if got := pipeline.CodeOf(err); got != want {
			t.Errorf("SQLSTATE %s is %q, want %q", state, got, want)
		}
		if quotesValue(state) && strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), state) {
			t.Errorf("SQLSTATE %s: %v", state, err)
		}
	}
	if err := passing("do it", errors.New("connection reset")); err == nil || pipeline.CodeOf(err) != "" {
		t.Errorf("a lost connection is worded as %v", err)
	}
	for _, gone := range []error{io.ErrUnexpectedEOF, net.ErrClosed, errors.New("conn closed"), &net.OpError{Op: "read", Err: errors.New("reset")}} {
		if err := passing("do it", gone); pipeline.CodeOf(err) != CodeConnect || !errors.Is(err, gone) {
			t.Errorf("%v is worded as %v", gone, err)
		}
	}
	told := &pipeline.Refusal{Code: CodeRow}
	if passing("do it", told) != told || passing("do it", nil) != nil {
		t.Error("what is worded already is worded again")
	}
}

func TestResumeText(t *testing.T) {
	for _, at := range []pipeline.Resume{{}, whole(7), filling("x"), {At: pipeline.Position{Seq: 1 << 60, Native: "file:1"}, Rows: 1 << 40, State: []byte{0, 1, 255}}} {
		b := appendResume(nil, at)
		got, err := parseResume(b)
		if err != nil || got.At != at.At || got.Rows != at.Rows || string(got.State) != string(at.State) {
			t.Errorf("%+v came back as %+v, %v", at, got, err)
		}
		for n := range b {
			_, _ = parseResume(b[:n]) // ends, whatever is cut off
		}
	}
	for _, bad := range []string{"\x02", "\x01", "\x01\x80", "\x01\x00\x00\x7f"} {
		if _, err := parseResume([]byte(bad)); err == nil {
			t.Errorf("%q is a position", bad)
		}
	}
}
