package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

func TestQuoting(t *testing.T) {
	t.Parallel()
	t.Run("X11 the server reads exactly the name", func(t *testing.T) {
		d := newDB(t)
		rapid.Check(t, func(rt *rapid.T) {
			name := rapid.StringOfN(rapid.RuneFrom([]rune(`ab"'\$%;. -é漢`+"\t\n")), 1, 12, 60).Draw(rt, "name")
			got, err := pgsql.Query(context.Background(), d.conn,
				"SELECT (parse_ident($1))[1], quote_ident($2), "+pgsql.QuoteLiteral(name), pgsql.QuoteIdent(name), name)
			if err != nil || got.Text(0, 0) != name || got.Text(0, 2) != name {
				rt.Fatalf("%q quoted as %s is read as %q, as a constant %q (%v)", name, pgsql.QuoteIdent(name), got.Text(0, 0), got.Text(0, 2), err)
			}
			if theirs := got.Text(0, 1); strings.HasPrefix(theirs, `"`) && theirs != pgsql.QuoteIdent(name) {
				rt.Fatalf("%q: the server quotes %s, we %s", name, theirs, pgsql.QuoteIdent(name))
			}
		})
		for _, name := range []string{"select", "Ünï", `a"b`, "a'b", "x;DROP TABLE y", "with space"} {
			d.do("CREATE TABLE %s (id int PRIMARY KEY, %s int)", pgsql.QuoteIdent(name), pgsql.QuoteIdent(name+"-"))
		}
		c := d.config()
		c.Publication = `p"';`
		r := open(t, c, pipeline.Resume{})
		r.snapshot()
		d.do(`INSERT INTO %s VALUES (1, 2)`, pgsql.QuoteIdent("x;DROP TABLE y"))
		wantLines(t, r.sync(d), "c x;DROP TABLE y 1|2")
	})
	for name, ok := range map[string]bool{"evert_shop": true, "": false, "Evert": false, "a-b": false, strings.Repeat("a", 64): false, "a'b": false} {
		if pgsql.ValidSlotName(name) != ok {
			t.Errorf("slot name %q: valid is %v", name, !ok)
		}
	}
}

func TestLSN(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF", "0/15D6C28"} {
		if l, err := parseLSN(text); err != nil || l.String() != text {
			t.Errorf("%s: %s %v", text, l, err)
		}
	}
	for _, text := range []string{"", "/", "0", "0/", "0/G", "1/123456789", "-1/0", "0/0/0"} {
		if l, err := parseLSN(text); err == nil {
			t.Errorf("%q was read as %s", text, l)
		}
	}
}

func TestMessageReader(t *testing.T) {
	t.Parallel()
	var stream []byte
	sizes := []int{0, 1, 100, messageBufferBytes, 3*messageBufferBytes + 7, 5}
	for i, n := range sizes {
		stream = be.AppendUint32(append(stream, byte('a'+i)), uint32(n+4))
		stream = append(stream, bytes.Repeat([]byte{byte(i)}, n)...)
	}
	for name, src := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"with time-outs": &flaky{r: bytes.NewReader(stream)},
	} {
		r := messageReader{src: src}
		for i, n := range sizes {
			kind, body, err := r.next()
			for errors.Is(err, os.ErrDeadlineExceeded) {
				kind, body, err = r.next()
			}
			if err != nil || kind != byte('a'+i) || !bytes.Equal(body, bytes.Repeat([]byte{byte(i)}, n)) {
				t.Fatalf("%s: message %d of %d bytes: %q %d bytes, %v", name, i, n, kind, len(body), err)
			}
		}
	}
	r := messageReader{src: bytes.NewReader([]byte{'d', 0xff, 0xff, 0xff, 0xff})}
	if _, _, err := r.next(); err == nil {
		t.Error("a message of 4 GB was accepted")
	}
}

// flaky times out at every second read.
type flaky struct {
	r io.Reader
	n int
}

func (f *flaky) Read(p []byte) (int, error) {
	if f.n++; f.n%2 == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return f.r.Read(p[:min(len(p), 10_000)])
}

func TestStatusCarriesOnlyWhatIsDurable(t *testing.T) {
	t.Parallel()
	msg := statusMessage(0x1122, time.UnixMicro(microsTo2000+5), true)
	want := "d\x00\x00\x00\x26r" + strings.Repeat("\x00\x00\x00\x00\x00\x00\x11\x22", 3) + "\x00\x00\x00\x00\x00\x00\x00\x05\x01"
	if string(msg) != want {
		t.Errorf("%x", msg)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("k\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x01"))
	f.Add(append([]byte("w"), make([]byte, 30)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := parseFrame(b)
		if err == nil && fr.kind == 'w' && len(fr.payload) != len(b)-25 {
			t.Fatal("payload")
		}
	})
}

// FuzzCopy holds both readers to one rule: however the data is cut, the same rows
// come out.
func FuzzCopy(f *testing.F) {
	f.Add([]byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff\xff\xff"), 3, true)
	f.Add([]byte("a\\tb\t\\N\nc\\\\\tx\n"), 2, false)
	f.Fuzz(func(t *testing.T, data []byte, step int, binary bool) {
		step = max(1, step%64)
		whole, errWhole := copyRows(data, len(data)+1, binary)
		cut, errCut := copyRows(data, step, binary)
		if (errWhole == nil) != (errCut == nil) || whole != cut {
			t.Fatalf("whole %q (%v), in steps of %d %q (%v)", whole, errWhole, step, cut, errCut)
		}
	})
}

func copyRows(data []byte, step int, binary bool) (string, error) {
	var r copyReader = &textCopy{columns: 2}
	if binary {
		r = &binaryCopy{columns: 2}
	}
	var out strings.Builder
	var rest []byte
	for len(data) > 0 {
		n := min(step, len(data))
		rest = append(rest, data[:n]...)
		data = data[n:]
		left, err := r.take(rest, func(fields [][]byte) error {
			for _, f := range fields {
				fmt.Fprintf(&out, "%q,%v|", f, f == nil)
			}
			return nil
		})
		if err != nil {
			return out.String(), err
		}
		rest = append([]byte(nil), left...)
	}
	return out.String(), nil
}

func TestRetentionIsWarnedOf(t *testing.T) {
	t.Parallel()
	t.Run("P05 each threshold once", func(t *testing.T) {
		var log bytes.Buffer
		s := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		for _, used := range []int64{10, 49, 50, 60, 80, 95, 10, 55} {
			s.warnOfRetention(used, 100-used)
		}
		s.warnOfRetention(1000, -1) // no limit
		if n := strings.Count(log.String(), "PG_RETENTION"); n != 3 {
			t.Errorf("%d warnings, want 50, 80 and 50 again:\n%s", n, log.String())
		}
	})
}
