package postgres

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// Every type comes as the same bytes by COPY and by the stream, in binary form and
// as text, and what is read back of them is printed as the server prints it (P50,
// P51, P48). EVERT_CORPUS sets how many values each type has; the crash lane has
// 1000.
func TestEveryTypeEveryWay(t *testing.T) {
	t.Parallel()
	seed, count := corpusRun(t)
	d := newDB(t)
	d.do("ALTER DATABASE %s SET xmloption = 'content'", d.get("SELECT current_database()"))
	d.reconnect()
	types := d.makeCorpus(seed, count)

	printed := d.serverTexts(types)
	all := map[string]captured{}
	for _, form := range []string{"binary", "text"} {
		c := d.config()
		c.Slot, c.Text, c.ask = c.Slot+"_"+form, form == "text", form == "binary"
		r := open(t, c, pipeline.Resume{})
		r.wait = 10 * patience // many values are asked of the server, one by one
		all["copied as "+form] = r.capture(d, true)
		d.touch(types)
		all["streamed as "+form] = r.capture(d, false)
		r.close()
	}
	for i, typ := range types {
		compare(t, tableOf(i), typ.typ, printed[tableOf(i)], all)
	}
}

func corpusRun(t *testing.T) (seed uint64, count int) {
	seed, count = uint64(time.Now().UnixNano()), 24
	if s, err := strconv.ParseUint(os.Getenv("EVERT_SEED"), 10, 64); err == nil {
		seed = s
	}
	if testing.Short() {
		count = 10
	}
	if os.Getenv("EVERT_CRASH_RUNS") != "" {
		count = 1000
	}
	if n, err := strconv.Atoi(os.Getenv("EVERT_CORPUS")); err == nil {
		count = n
	}
	t.Logf("EVERT_SEED=%d EVERT_CORPUS=%d", seed, count)
	return seed, count
}

func tableOf(i int) string { return fmt.Sprintf("c%03d", i) }

// makeCorpus makes a table for each type that the server has, with rows.
func (d *db) makeCorpus(seed uint64, count int) (types []corpusType) {
	d.t.Helper()
	for _, c := range corpus() {
		if d.has(c) {
			types = append(types, c)
		}
	}
	d.do(corpusTypes)
	for i, c := range types {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		rows := []string{"(-1, NULL)"}
		for n := range count {
			rows = append(rows, fmt.Sprintf("(%d, %s)", n, pgsql.QuoteLiteral(c.value(r, n))))
		}
		d.do("CREATE TABLE " + tableOf(i) + " (id int PRIMARY KEY, v " + c.typ + ")")
		if err := d.insertAll(tableOf(i), rows); err != nil {
			d.t.Errorf("a value of %s: %v", c.typ, err)
		}
	}
	if len(types) < 100 {
		d.t.Errorf("the corpus has %d types only", len(types))
	}
	return types
}

// insertAll inserts rows. A server older than 15 may refuse one that later ones take:
// it is asked row by row, and has those that it takes.
func (d *db) insertAll(table string, rows []string) error {
	insert := func(rows ...string) error {
		_, err := d.conn.Exec(d.t.Context(), "INSERT INTO "+table+" VALUES "+strings.Join(rows, ",")).ReadAll()
		return err
	}
	err := insert(rows...)
	if err == nil || d.major() >= 15 {
		return err
	}
	taken := 0
	for _, row := range rows {
		if insert(row) == nil {
			taken++
		}
	}
	if taken <= 1 { // the row without a value
		return err
	}
	return nil
}

// has makes the extension that a type needs, and tells of one that is not installed.
func (d *db) has(c corpusType) bool {
	if c.since > d.major() {
		return false
	}
	if c.needs == "" {
		return true
	}
	if d.get("SELECT count(*) FROM pg_available_extensions WHERE name = '%s'", c.needs) == "0" {
		if strings.Contains(os.Getenv("EVERT_EXTENSIONS"), c.needs) {
			d.t.Errorf("%s: extension %s is not there", c.typ, c.needs)
		}
		d.t.Logf("%s: NOT TESTED, extension %s is not installed", c.typ, c.needs)
		return false
	}
	d.do("CREATE EXTENSION IF NOT EXISTS " + c.needs)
	return true
}

// serverTexts gives what the server prints of each value, by table and id.
func (d *db) serverTexts(types []corpusType) map[string]map[int64]string {
	d.t.Helper()
	for _, s := range sessionSettings {
		d.do("SET %s = '%s'", s.name, s.value)
	}
	d.do("SET search_path = pg_catalog")
	out := map[string]map[int64]string{}
	for i := range types {
		rs, err := pgsql.SimpleQuery(d.t.Context(), d.conn, "SELECT id, v FROM public."+tableOf(i)) // by its output function: a cast may differ
		if err != nil {
			d.t.Fatal(err)
		}
		texts := map[int64]string{}
		for _, cols := range rs {
			id, _ := strconv.ParseInt(string(cols[0]), 10, 64)
			if cols[1] != nil {
				texts[id] = string(cols[1])
			}
		}
		out[tableOf(i)] = texts
	}
	d.do("RESET search_path")
	return out
}

// touch updates every row and changes none.
func (d *db) touch(types []corpusType) {
	d.t.Helper()
	var sql strings.Builder
	for i := range types {
		fmt.Fprintf(&sql, "ALTER TABLE %s REPLICA IDENTITY FULL; UPDATE %s SET id = id;", tableOf(i), tableOf(i))
	}
	d.do(sql.String())
}

// captured holds encoded rows by table and id.
type captured map[string]*capturedTable

type capturedTable struct {
	codecs []*avro.Codec // by writings
	rows   map[int64][][]byte
}

// writings are the ways to write a row. They lose nothing, but for what connect cuts off.
var writings = []avro.Options{
	{Envelope: avro.Debezium},
	{Envelope: avro.Row},
	{Envelope: avro.Debezium, Handling: avro.Handling{Decimal: avro.DecimalString, HStore: avro.HStoreMap, Binary: avro.BinaryHex, Time: avro.Microseconds}},
	{Envelope: avro.Row, Handling: avro.Handling{Decimal: avro.DecimalString, Binary: avro.Base64}},
	{Envelope: avro.Debezium, Handling: avro.Handling{Time: avro.ISOString}},
	{Envelope: avro.Debezium, Handling: avro.Handling{Time: avro.Connect}},
}

func newCaptured(t *testing.T, of *schema.Table) *capturedTable {
	t.Helper()
	c := &capturedTable{rows: map[int64][][]byte{}}
	for _, o := range writings {
		o.Topic = "shop.public." + of.Name
		codec, err := avro.Compile(of, o)
		if err != nil {
			t.Fatal(err)
		}
		c.codecs = append(c.codecs, codec)
	}
	return c
}

// capture encodes what comes, to the end of the snapshot or of the log.
func (r *run) capture(d *db, snapshot bool) captured {
	r.t.Helper()
	out := captured{}
	take := func(b pipeline.Batch) {
		for _, c := range b.Changes {
			if out[c.Table.Name] == nil {
				out[c.Table.Name] = newCaptured(r.t, c.Table)
			}
			out[c.Table.Name].add(r.t, c.After)
		}
	}
	if snapshot {
		r.until(func(b pipeline.Batch) bool {
			take(b)
			return b.End != nil && b.End.At.Seq == 1
		})
		return out
	}
	d.do("SELECT pg_logical_emit_message(true, 'sync', '')")
	r.each(d.get("SELECT pg_current_wal_lsn()"), take)
	return out
}

func (c *capturedTable) add(t *testing.T, row schema.Row) {
	t.Helper()
	id := row[0].Int()
	c.rows[id] = make([][]byte, len(writings))
	for e := range writings {
		body, err := c.codecs[e].AppendValue(nil, &avro.Event{Op: 'r', After: row, Origin: &avro.Origin{}})
		if err != nil {
			t.Errorf("%s: %v", c.codecs[e].Table(), err)
			continue
		}
		c.rows[id][e] = body
	}
}

// compare holds every way against the first, and the first against the server.
func compare(t *testing.T, table, typ string, printed map[int64]string, all map[string]captured) {
	t.Helper()
	const first = "copied as text"
	want := all[first][table]
	if want == nil {
		t.Errorf("%s %s: nothing was %s", table, typ, first)
		return
	}
	for way, c := range all {
		got := c[table]
		if got == nil || len(got.rows) != len(printed)+1 {
			t.Errorf("%s %s: not every row was %s", table, typ, way)
			continue
		}
		for id, bodies := range want.rows {
			for e, body := range bodies {
				if got.rows[id] == nil || !bytes.Equal(body, got.rows[id][e]) {
					t.Errorf("%s row %d, writing %d: %s is not what was %s: %q", typ, id, e, way, first, clip(body))
				}
			}
		}
	}
	for e := range writings {
		want.agree(t, typ, e, printed)
	}
}

// agree decodes what was encoded, by the schema's text alone, and prints it.
func (c *capturedTable) agree(t *testing.T, typ string, e int, printed map[int64]string) {
	t.Helper()
	codec, err := avro.ParseCodec(c.codecs[e].KeySchema(), c.codecs[e].ValueSchema())
	if err != nil {
		t.Fatal(err)
	}
	var arena avro.Arena
	for id, bodies := range c.rows {
		if bodies[e] == nil {
			continue
		}
		event, err := codec.DecodeValue(bodies[e], &arena)
		if err != nil {
			t.Errorf("%s row %d, writing %d: %v", typ, id, e, err)
			continue
		}
		v := event.After[1]
		text, there := printed[id]
		if writings[e].Handling.Time == avro.Connect && hasTime(&codec.Table().Columns[1].Type) {
			text = cutToMillis(text)
		}
		if got := string(codec.Table().Columns[1].Type.AppendText(nil, v)); got != text || there == v.IsNull() {
			t.Errorf("%s row %d, writing %d: captured %q, the server has %q", typ, id, e, clip([]byte(got)), clip([]byte(text)))
		}
	}
}

// hasTime reports whether values are times or timestamps that handling.time concerns.
func hasTime(t *schema.Type) bool {
	return t.Kind == schema.KindTime || t.Kind == schema.KindTimestamp && !t.Zoned || t.Kind == schema.KindArray && hasTime(t.Elem)
}

var fraction = regexp.MustCompile(`\.\d+`)

// cutToMillis leaves three fractional digits of each time in a text.
func cutToMillis(text string) string {
	return fraction.ReplaceAllStringFunc(text, func(digits string) string {
		return strings.TrimSuffix(strings.TrimRight(digits[:min(len(digits), 4)], "0"), ".")
	})
}

func clip(b []byte) string {
	if len(b) > 200 {
		return string(b[:200]) + "…"
	}
	return string(b)
}

func TestCorpusNamesEachTypeOnce(t *testing.T) {
	var names []string
	for _, c := range corpus() {
		names = append(names, fmt.Sprint(c.typ, c.since))
	}
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			t.Errorf("%s is there twice", names[i])
		}
	}
}
