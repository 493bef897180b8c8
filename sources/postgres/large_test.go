package postgres

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// largeLimit is limits.value_bytes of these tests; values of twice as many bytes as
// they are sent are set aside.
const largeLimit = 1000

// largeConfig sets values aside that are far smaller than the least that is worth it.
func largeConfig(d *db) Config {
	c := d.config()
	c.ValueBytes, c.asideAbove = largeLimit, 2*largeLimit
	return c
}

// digests prints rows, with a SHA-256 in place of each value that is not short.
type digests struct {
	t     *testing.T
	aside int // values that were not in memory
}

// row prints a row with all of each value.
func (w *digests) row(table *schema.Table, row schema.Row, asides []pipeline.Aside) string {
	w.t.Helper()
	var words []string
	for i, v := range row {
		if i < len(asides) && asides[i] != nil {
			w.aside++
			if len(v.Ref()) <= largeLimit {
				w.t.Errorf("column %d: %d bytes stand for a value of %d", i, len(v.Ref()), asides[i].Size())
			}
			v = w.load(v, asides[i])
		}
		words = append(words, digest(showWhole(table.Columns[i].Type, v)))
	}
	return strings.Join(words, "|")
}

func showWhole(t schema.Type, v schema.Value) string {
	switch {
	case v.IsNull():
		return "NULL"
	case !v.IsKnown():
		return "?"
	}
	return showLong(t, v)
}

// load reads a value in both ways.
func (w *digests) load(head schema.Value, a pipeline.Aside) schema.Value {
	w.t.Helper()
	v, err := a.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	if v.Kind() == schema.KindArray {
		if again := listed(w.t, a.(pipeline.ArrayAside)); !again.Identical(v) {
			w.t.Errorf("an array of %d elements has %d one by one", v.Len(), again.Len())
		}
		return v
	}
	r, err := a.Open()
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(b, v.Ref()) || int64(len(b)) != a.Size() || !bytes.HasPrefix(b, head.Ref()) || v.Kind() != head.Kind() {
		w.t.Fatalf("a value of %d bytes is read as %d and loaded as %d: %v", a.Size(), len(b), len(v.Ref()), err)
	}
	return v
}

// listed reads an array element by element.
func listed(t *testing.T, a pipeline.ArrayAside) schema.Value {
	t.Helper()
	var all []schema.Value
	for v, err := range a.Elements() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v.Clone())
	}
	return schema.Array(schema.AppendArray(nil, all...))
}

func digest(text string) string {
	if len(text) < 40 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// change prints a change with all of each value.
func (w *digests) change(c *pipeline.Change) string {
	w.t.Helper()
	out, asides := c.Op.String()+" "+c.Table.Name, c.Aside
	if asides == nil {
		asides = &pipeline.Asides{}
	}
	if c.Before != nil {
		out += " " + w.row(c.Table, c.Before, asides.Before) + " →"
	}
	if c.After != nil {
		out += " " + w.row(c.Table, c.After, asides.After)
	}
	return out
}

// collect gives all changes until everything is read that is committed now.
func (w *digests) collect(r *run, d *db) (lines []string) {
	w.t.Helper()
	d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
	r.each(d.get("SELECT pg_current_wal_lsn()"), func(b pipeline.Batch) {
		for i := range b.Changes {
			lines = append(lines, w.change(&b.Changes[i]))
		}
	})
	return lines
}

// snapshot reads rows until the snapshot is complete.
func (w *digests) snapshot(r *run) (lines []string) {
	w.t.Helper()
	r.until(func(b pipeline.Batch) bool {
		for i := range b.Changes {
			lines = append(lines, w.change(&b.Changes[i]))
		}
		return b.End != nil && b.End.At.Seq == 1
	})
	return lines
}

// rows gives the rows of a table as the server prints them.
func (w *digests) rows(d *db, table string) map[string]string {
	w.t.Helper()
	rs, err := pgsql.SimpleQuery(w.t.Context(), d.conn, "SELECT id, a, b, j, x, w, v FROM "+table)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for i := range rs {
		var words []string
		for _, f := range rs[i] {
			text := "NULL"
			if f != nil {
				text = string(f)
			}
			words = append(words, digest(text))
		}
		out[words[0]] = strings.Join(words, "|")
	}
	return out
}

const largeColumns = "(id int PRIMARY KEY, a text, b bytea, j jsonb, x xml, w varbit, v int[])"

// largeRow is SQL for a row whose values have about n bytes, and whatever COPY escapes.
func largeRow(id, n int) string {
	return fmt.Sprintf(`(%d, left(repeat(E'a\tb\\c\nd\\N€\r\b\f\v"', %[2]d), %[2]d), decode(repeat('5c0aff09', %[2]d / 4), 'hex'), to_jsonb(repeat('j"', %[2]d / 3)),
		xmlparse(content repeat('<x/>', %[2]d / 4)), repeat('10110', %[2]d / 4)::varbit, (SELECT array_agg(i) FROM generate_series(1, %[2]d / 8) i))`, id, n)
}

// Values from far below the limit to far above it come whole, in every form, from
// snapshot, chunks and stream.
func TestLargeValues(t *testing.T) {
	t.Parallel()
	for _, text := range []bool{false, true} {
		t.Run(fmt.Sprintf("P26 as text=%v", text), func(t *testing.T) {
			t.Parallel()
			d := newDB(t)
			d.do("CREATE TABLE small %[1]s; CREATE TABLE keyed %[1]s; CREATE TABLE full_old %[1]s; ALTER TABLE full_old REPLICA IDENTITY FULL", largeColumns)
			sizes := []int{8, 990, 1010, 1990, 2100, 9000, 70_000, 500_000}
			for i, n := range sizes {
				d.do("INSERT INTO keyed VALUES %[1]s; INSERT INTO full_old VALUES %[1]s", largeRow(i, n))
			}
			c := largeConfig(d)
			c.Text = text
			w := &digests{t: t}
			r := open(t, c, pipeline.Resume{})
			got := w.snapshot(r)
			wantRows(t, got, "r keyed ", w.rows(d, "keyed"))
			wantRows(t, got, "r full_old ", w.rows(d, "full_old"))
			if w.aside == 0 {
				t.Fatal("nothing was set aside")
			}
			for i, n := range sizes {
				d.do("INSERT INTO small VALUES %[1]s; INSERT INTO keyed VALUES %[2]s", largeRow(i, n), largeRow(100+i, n))
			}
			got = w.collect(r, d)
			wantRows(t, got, "c small ", w.rows(d, "small"))
			wantRows(t, got, "c keyed ", subset(w.rows(d, "keyed"), "10"))
			d.do("UPDATE full_old SET id = id + 1000; UPDATE keyed SET j = '7' WHERE id < 100") // TOAST that did not change
			got = w.collect(r, d)
			wantRows(t, afters(got, "u full_old "), "", w.rows(d, "full_old"))
			for _, line := range got {
				if strings.HasPrefix(line, "u full_old ") && strings.Contains(line, "?") {
					t.Errorf("P13: %s", line)
				}
			}
			d.do("DELETE FROM full_old")
			if got = w.collect(r, d); len(got) != len(sizes) {
				t.Errorf("%d deletes came, want %d", len(got), len(sizes))
			}
			r.source.copying.request(copyRequest{oid: oidOf(d, "keyed"), name: pgsql.TableName{Schema: "public", Name: "keyed"}, id: "again"})
			got = nil
			r.until(func(b pipeline.Batch) bool {
				done := false
				for i := range b.Changes {
					got = append(got, w.change(&b.Changes[i]))
				}
				for _, copied := range b.Copies {
					done = done || copied.Done
				}
				return done
			})
			wantRows(t, got, "r keyed ", w.rows(d, "keyed"))
			r.close()
			wantEmpty(t, c.SpillDir)
		})
	}
}

// Of a database without an encoding large texts are made UTF-8 while they are read,
// and come as short ones do (P45).
func TestLargeTextsWithoutEncoding(t *testing.T) {
	t.Parallel()
	const times = 30_000
	for policy, readable := range map[pgvalue.Invalid]string{pgvalue.Latin1: "grüße", pgvalue.Replace: "gr\uFFFD\uFFFDe"} {
		t.Run(fmt.Sprintf("P45 policy %d", policy), func(t *testing.T) {
			d := encodedDB(t, "SQL_ASCII")
			d.do("CREATE TABLE t (id int PRIMARY KEY, s text, a text[])")
			d.do(`INSERT INTO t VALUES (1, repeat(E'gr\xfc\xdfe', %[1]d), ARRAY[repeat(E'gr\xfc\xdfe', %[1]d)]), (2, repeat('grün', %[1]d), NULL)`, times)
			c := largeConfig(d)
			c.InvalidText = policy
			w := &digests{t: t}
			r := open(t, c, pipeline.Resume{})
			got := w.snapshot(r)
			text := strings.Repeat(readable, times)
			want := []string{" t 1|" + digest(text) + "|" + digest("{"+text+"}"), " t 2|" + digest(strings.Repeat("grün", times)) + "|NULL"}
			wantLines(t, got, "r"+want[0], "r"+want[1])
			d.do("UPDATE t SET s = s || '', a = a[1:]")
			wantLines(t, w.collect(r, d), "u"+want[0], "u"+want[1])
			if w.aside < 4 {
				t.Errorf("%d values were set aside", w.aside)
			}
			r.close()
			wantEmpty(t, c.SpillDir)
		})
	}
}

func oidOf(d *db, table string) uint32 {
	var oid uint32
	if _, err := fmt.Sscan(d.get("SELECT '%s'::regclass::oid", table), &oid); err != nil {
		d.t.Fatal(err)
	}
	return oid
}

// subset gives the rows whose id begins so.
func subset(rows map[string]string, prefix string) map[string]string {
	out := map[string]string{}
	for id, row := range rows {
		if strings.HasPrefix(id, prefix) {
			out[id] = row
		}
	}
	return out
}

// afters gives the new rows of lines that begin so.
func afters(lines []string, prefix string) (out []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			_, after, _ := strings.Cut(line, "→ ")
			out = append(out, after)
		}
	}
	return out
}

// wantRows looks whether the lines that begin so have each row once.
func wantRows(t *testing.T, lines []string, prefix string, rows map[string]string) {
	t.Helper()
	found := map[string]bool{}
	for _, line := range lines {
		row, ok := strings.CutPrefix(line, prefix)
		if !ok {
			continue
		}
		id, _, _ := strings.Cut(row, "|")
		if rows[id] != row || found[id] {
			t.Errorf("%sgot %s, want %s", prefix, row, rows[id])
		}
		found[id] = true
	}
	if len(found) != len(rows) {
		t.Errorf("%s%d rows came, want %d", prefix, len(found), len(rows))
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%d files are left in %s: %v", len(left), dir, err)
	}
}

// Large values of transactions that are streamed before their commit come with it, and
// those of savepoints that were rolled back are let go.
func TestLargeValuesInProgress(t *testing.T) {
	t.Parallel()
	for _, never := range []bool{false, true} {
		t.Run(fmt.Sprintf("P27 streamed=%v", !never), func(t *testing.T) {
			d := newDB(t)
			d.decodeEarly()
			d.do("CREATE TABLE large_prog %s", largeColumns)
			c := largeConfig(d)
			c.NoStreaming, c.SpillBytes = never, 4<<10
			w := &digests{t: t}
			r := open(t, c, pipeline.Resume{})
			r.snapshot()
			var sql strings.Builder
			sql.WriteString("BEGIN;")
			for i := range 8 {
				fmt.Fprintf(&sql, "INSERT INTO large_prog VALUES %s; SAVEPOINT s; INSERT INTO large_prog VALUES %s; ROLLBACK TO s;", largeRow(i, 60_000), largeRow(50+i, 60_000))
			}
			d.do("%s", sql.String()+"COMMIT")
			d.do("%s", "BEGIN; INSERT INTO large_prog VALUES "+largeRow(70, 90_000)+"; INSERT INTO large_prog VALUES "+largeRow(71, 90_000)+"; ROLLBACK")
			d.do("INSERT INTO large_prog VALUES %s", largeRow(80, 3000))
			got := w.collect(r, d)
			wantRows(t, got, "c large_prog ", w.rows(d, "large_prog"))
			if w.aside == 0 {
				t.Error("nothing was set aside")
			}
			if n := r.source.asides.waiting.Load(); n != 0 {
				t.Errorf("%d values wait for nobody", n)
			}
			from := r.close()
			wantEmpty(t, c.SpillDir)
			d.do("%s", "BEGIN; INSERT INTO large_prog VALUES "+largeRow(90, 40_000)+"; INSERT INTO large_prog VALUES "+largeRow(91, 40_000)+"; COMMIT")
			r = open(t, c, from)
			wantRows(t, w.collect(r, d), "c large_prog ", subset(w.rows(d, "large_prog"), "9"))
		})
	}
}

// A large value in a key, which an index takes where it compresses well, is whole.
func TestLargeKey(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE large_key (k text PRIMARY KEY, v text); ALTER TABLE large_key REPLICA IDENTITY FULL")
	r := open(t, largeConfig(d), pipeline.Resume{})
	r.snapshot()
	d.do("INSERT INTO large_key VALUES (repeat('k', 5000), repeat('v', 5000)); UPDATE large_key SET k = k || 'x'")
	var lines []string
	d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
	r.each(d.get("SELECT pg_current_wal_lsn()"), func(b pipeline.Batch) {
		for _, ch := range b.Changes {
			lines = append(lines, fmt.Sprintf("%s %d %v %v", ch.Op, len(ch.After[0].Ref()), ch.KeyChanged(), ch.AsideAfter(1) != nil))
		}
	})
	wantLines(t, lines, "c 5000 false true", "u 5001 true true")
}

// Where the disk has no more room than limits.spill_bytes the source ends, and says so.
func TestLargeValueWithoutRoom(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.do("CREATE TABLE large_room (id int PRIMARY KEY, a text)")
	c := largeConfig(d)
	c.SpillMost = 64 << 10
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	d.do("INSERT INTO large_room VALUES (1, repeat('x', 100000))")
	wantCode(t, r.fails(), CodeSpillFull)
	r.close()
	wantEmpty(t, c.SpillDir)
}

// However many large values a table has, few are aside or in memory at one time: copies
// end chunks and batches by what was sent, and let go what turned out to be small enough.
func TestManyLargeValues(t *testing.T) {
	t.Parallel()
	const rows, room = 200, 200 << 10 // of bytes; all values have four times as many, or more
	for what, value := range map[string]string{"aside": "array_fill(1, ARRAY[1000])", "small after all": "array_fill(1, ARRAY[300])"} {
		for _, chunkAbove := range []int64{0, 1} {
			t.Run(fmt.Sprintf("%s, in chunks above %d", what, chunkAbove), func(t *testing.T) {
				t.Parallel()
				d := newDB(t)
				d.do("CREATE TABLE large_many (id int PRIMARY KEY, v int[]); INSERT INTO large_many SELECT i, %s FROM generate_series(1, %d) i", value, rows)
				c := largeConfig(d)
				c.SpillMost, c.QueueBatches, c.ChunkAbove, c.ChunkBytes, c.BatchBytes = room, 1, chunkAbove, 20_000, 20_000
				r := open(t, c, pipeline.Resume{})
				found := 0
				r.until(func(b pipeline.Batch) bool {
					found += len(b.Changes)
					return found >= rows
				})
				if found != rows {
					t.Errorf("%d rows came, want %d", found, rows)
				}
				if n := r.source.asides.waiting.Load(); n != 0 {
					t.Errorf("%d values wait for nobody", n)
				}
				r.close()
				wantEmpty(t, c.SpillDir)
			})
		}
	}
}

// shortens reads what a shortener gives, by so many bytes at a time, and holds it and
// the values that it put aside to what is wanted.
func shortens(s *shortener, size func() int, want []byte, values [][]byte) error {
	var got []byte
	for {
		p := make([]byte, size())
		n, err := s.Read(p)
		got = append(got, p[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("got %q\nwant %q", got, want)
	}
	for i, v := range values {
		if b, err := s.store.held[uint64(i+1)].load(); err != nil || !bytes.Equal(b, v) {
			return fmt.Errorf("value %d: %w", i, err)
		}
	}
	return nil
}

// However reads are cut, a shortener gives the same bytes, and what is not long as it is.
func TestShortenerReadsInAnyPieces(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for round := range 60 {
		store := newAsides(&Config{SpillDir: t.TempDir(), ValueBytes: 50, SpillMost: 1 << 20, asideAbove: 100})
		var sent, want []byte
		values := [][]byte{}
		for range 6 {
			fields := [][]byte{}
			for range rng.IntN(4) {
				fields = append(fields, bytes.Repeat([]byte{byte(rng.IntN(256))}, []int{0, 5, 100, 101, 400}[rng.IntN(5)]))
			}
			sent = append(sent, dataRow(fields)...)
			if msg := dataRow(fields); len(msg) <= 100 {
				want = append(want, msg...)
				continue
			}
			for i, f := range fields {
				if len(f) > 100 {
					values = append(values, f)
					fields[i] = fmt.Appendf(nil, "%s%016x", store.token, len(values))
				}
			}
			want = append(want, dataRow(fields)...)
		}
		s := &shortener{src: &pieces{rng: rng, b: sent}, store: store, seek: carriesRows}
		if err := shortens(s, func() int { return []int{1 + rng.IntN(120), 1 << 20}[round%2] }, want, values); err != nil {
			t.Fatalf("seed %d round %d: %v", seed, round, err)
		}
		store.clear()
		wantEmpty(t, store.dir)
	}
}

// Of the log, in blocks and outside, and of rows in text, a shortener gives the same
// messages with stand-ins, however reads are cut and whatever stands between them.
func TestShortenerOfEachForm(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 2))
	for round := range 60 {
		store := newAsides(&Config{SpillDir: t.TempDir(), ValueBytes: 50, SpillMost: 1 << 20, asideAbove: 100})
		m := &messages{rng: rng, store: store}
		s := &shortener{store: store, seek: []carried{carriesChanges, carriesText}[round%2]}
		for range 8 {
			m.notice()
			if s.seek == carriesChanges {
				m.transaction()
			} else {
				m.line()
			}
		}
		s.src = &pieces{rng: rng, b: m.sent}
		size := []int{1 + rng.IntN(120), 1 << 20}[round/2%2]
		if err := shortens(s, func() int { return size }, m.want, m.values); err != nil {
			t.Fatalf("seed %d round %d: %v", seed, round, err)
		}
		s.abandon()
		wantEmpty(t, store.dir)
	}
}

// messages are what a server sends, and what is to come of it.
type messages struct {
	rng        *rand.Rand
	store      *asides
	sent, want []byte
	values     [][]byte
}

func (m *messages) add(kind byte, sent, want []byte) {
	m.sent = append(be.AppendUint32(append(m.sent, kind), uint32(len(sent)+4)), sent...)
	m.want = append(be.AppendUint32(append(m.want, kind), uint32(len(want)+4)), want...)
}

// notice is what may come at any time; it is never shortened.
func (m *messages) notice() {
	body := bytes.Repeat([]byte("n"), m.rng.IntN(300))
	m.add("NS"[m.rng.IntN(2)], body, body)
}

func (m *messages) stand(v []byte) []byte {
	m.values = append(m.values, v)
	return fmt.Appendf(nil, "%s%016x", m.store.token, len(m.values))
}

// transaction is a few changes, some in a block that begins and ends, and a keepalive.
func (m *messages) transaction() {
	frame := func(payload []byte) []byte { return append(append([]byte("w"), make([]byte, 24)...), payload...) }
	keep := func(payload []byte) { m.add('d', frame(payload), frame(payload)) }
	var xid []byte
	if m.rng.IntN(2) == 0 {
		keep([]byte("S\x00\x00\x00\x07\x01"))
		xid = []byte("\x00\x00\x00\x07")
	}
	for range m.rng.IntN(4) {
		op := "IUD"[m.rng.IntN(3)]
		sent := append(append([]byte{op}, xid...), 0, 0, 0, 9)
		want := bytes.Clone(sent)
		for _, tuple := range map[byte]string{'I': "N", 'U': []string{"N", "KN", "ON"}[m.rng.IntN(3)], 'D': "O"}[op] {
			columns := m.rng.IntN(4)
			sent, want = append(sent, byte(tuple), 0, byte(columns)), append(want, byte(tuple), 0, byte(columns))
			for range columns {
				s, w := m.column()
				sent, want = append(sent, s...), append(want, w...)
			}
		}
		if sent = frame(sent); headBytes+len(sent) <= 100 {
			m.add('d', sent, sent)
		} else {
			m.add('d', sent, frame(want))
		}
	}
	if xid != nil {
		keep([]byte("E"))
	}
	alive := append([]byte("k"), make([]byte, 17)...)
	m.add('d', alive, alive)
}

func (m *messages) column() (sent, want []byte) {
	kind := "nutb"[m.rng.IntN(4)]
	if kind == 'n' || kind == 'u' {
		return []byte{kind}, []byte{kind}
	}
	v := bytes.Repeat([]byte{byte(m.rng.IntN(256))}, []int{0, 5, 100, 101, 400}[m.rng.IntN(5)])
	form := func(v []byte) []byte { return append(be.AppendUint32([]byte{kind}, uint32(len(v))), v...) }
	if len(v) <= 100 {
		return form(v), form(v)
	}
	return form(v), form(m.stand(v))
}

// line is a row of COPY in text format.
func (m *messages) line() {
	var sent, want, whole [][]byte
	for range 1 + m.rng.IntN(4) {
		escaped, v := []byte(`\N`), []byte(nil)
		if m.rng.IntN(4) > 0 {
			v = bytes.Repeat([]byte("a\t\\\nb")[m.rng.IntN(5):], m.rng.IntN(60))
			escaped = []byte(strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`).Replace(string(v)))
		}
		sent, want, whole = append(sent, escaped), append(want, escaped), append(whole, v)
	}
	if body := append(bytes.Join(sent, []byte("\t")), '\n'); headBytes+len(body) <= 100 {
		m.add('d', body, body)
		return
	}
	for i := range want {
		if len(want[i]) > 100 {
			want[i] = m.stand(whole[i])
		}
	}
	m.add('d', append(bytes.Join(sent, []byte("\t")), '\n'), append(bytes.Join(want, []byte("\t")), '\n'))
}

// dataRow is a message of a row.
func dataRow(fields [][]byte) []byte {
	body := be.AppendUint16(nil, uint16(len(fields)))
	for _, f := range fields {
		body = append(be.AppendUint32(body, uint32(len(f))), f...)
	}
	return append(be.AppendUint32([]byte{'D'}, uint32(len(body)+4)), body...)
}

// pieces are read in pieces of any size, with time-outs in between.
type pieces struct {
	rng *rand.Rand
	b   []byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	if p.rng.IntN(5) == 0 {
		return 0, &net.OpError{Err: os.ErrDeadlineExceeded}
	}
	n := copy(b, p.b[:1+p.rng.IntN(min(len(p.b), 70))])
	p.b = p.b[n:]
	return n, nil
}

// What no server sends is an error, and no panic.
func FuzzShortener(f *testing.F) {
	f.Add(dataRow([][]byte{bytes.Repeat([]byte("x"), 300)}), byte(carriesRows), false)
	f.Add(append([]byte("d\x00\x00\x01\x40w"), bytes.Repeat([]byte("I"), 316)...), byte(carriesChanges), true)
	f.Add(append([]byte("d\x00\x00\x01\x40PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00"), bytes.Repeat([]byte("I"), 316)...), byte(carriesBinary), false)
	f.Add(append([]byte("d\x00\x00\x01\x40"), bytes.Repeat([]byte("a\\b\t\n"), 70)...), byte(carriesText), false)
	f.Fuzz(func(t *testing.T, msgs []byte, seek byte, inBlock bool) {
		store := newAsides(&Config{SpillDir: t.TempDir(), ValueBytes: 50, SpillMost: 1 << 20, asideAbove: 100})
		s := &shortener{src: bytes.NewReader(msgs), store: store, seek: carried(seek % 5), inBlock: inBlock}
		n, err := io.Copy(io.Discard, s)
		if err == nil && n > int64(len(msgs)) {
			t.Errorf("%d bytes became %d", len(msgs), n)
		}
		s.abandon()
		wantEmpty(t, store.dir)
	})
}
