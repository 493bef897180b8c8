package mysql

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// always is how rows are wanted where no queue tells.
func always() bool { return true }

// inPlace reads every row when it is its turn.
func inPlace() Config { return Config{Name: "log", BatchRows: 7, Decoders: -1} }

// I4 What is read ahead is what is read in its place, to the byte: rows, versions of tables,
// stops, the ends of batches, in their order; with definitions, XA and rows that cannot be read
// between them, whatever the bounds are, while batches are held and taken back.
func TestRowsReadAheadAreThoseInPlace(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64() >> 16
	if n, err := strconv.ParseUint(os.Getenv("EVERT_SEED"), 10, 64); err == nil {
		seed = n
	}
	read := 0
	for i := range 40 {
		seed := seed + uint64(i)
		random := rand.New(rand.NewPCG(seed, 0))
		log := randomLog(random)
		c := inPlace()
		c.BatchBytes = 500 + random.IntN(4000)
		want, _ := readLog(t, c, log, len(log.events), 0)
		c.Decoders, c.StretchLeast, c.StretchBytes, c.DecodedBytes = 1+random.IntN(4), 1+random.IntN(100), 1+random.IntN(500), 100+random.IntN(6000)
		got, ahead := readLog(t, c, log, 1+random.IntN(80), random.IntN(4))
		read += ahead
		if got, want := differ(got, want); got != want {
			t.Fatalf("seed %d, %d decoders of %d, %d and %d bytes: read ahead\n%s\nin its place\n%s", seed, c.Decoders, c.StretchLeast, c.StretchBytes, c.DecodedBytes, got, want)
		}
	}
	if read < 1000 {
		t.Errorf("seed %d: %d events were read ahead; this proves little", seed, read)
	}
}

// differ gives the first lines in which two texts do.
func differ(a, b string) (string, string) {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i], y[i]
		}
	}
	return fmt.Sprint(len(x), " lines"), fmt.Sprint(len(y), " lines")
}

// The logs of servers say the same when their rows are read ahead.
func TestRecordedReadAhead(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(recordings, "*", "binlog"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d recordings, %v", len(paths), err)
	}
	for _, path := range paths {
		dir := filepath.Dir(path)
		t.Run("M14 M15 M26 "+filepath.Base(dir), func(t *testing.T) {
			c := Config{Name: "recorded", Decoders: -1}
			want := readRecording(t, dir, c)
			read := &atomic.Int32{}
			c.Decoders, c.StretchLeast, c.StretchBytes = 3, 1, 1
			c.decodes = func(*stretch) { read.Add(1) }
			sameText(t, readRecording(t, dir, c), want)
			if read.Load() == 0 {
				t.Error("nothing was read ahead")
			}
		})
	}
}

// I8 A row that cannot be read stops its table where it lies, although it and what is behind
// it was looked at long before: the rows before it are given, none of its table behind it is,
// and the other table goes on.
func TestUnreadableRowStopsInItsPlace(t *testing.T) {
	t.Parallel()
	l := &madeLog{}
	l.table(1, "a", 3)
	l.table(2, "b", 3)
	l.begin(false)
	l.describe("a")
	l.describe("b")
	var want []string
	for event := range 6 {
		var a, b [][]byte
		for row := range 5 {
			a, b = append(a, l.row("a", 10*event+row, day)), append(b, l.row("b", 10*event+row, day))
			want = append(want, fmt.Sprintf("a %d", 10*event+row))
		}
		if event == 3 {
			b[2] = l.row("b", 99, noDay)
		}
		for row := range 5 {
			if event < 3 || event == 3 && row < 2 {
				want = append(want, fmt.Sprintf("b %d", 10*event+row))
			}
		}
		if event == 3 {
			want = append(want, "b stops")
		}
		l.rows(replication.WRITE_ROWS_EVENTv1, "a", a...)
		l.rows(replication.WRITE_ROWS_EVENTv1, "b", b...)
	}
	l.commit()
	c := inPlace()
	c.BatchRows, c.Decoders, c.StretchLeast, c.StretchBytes = 1000, 3, 1, 1
	text, ahead := readLog(t, c, l, len(l.events), 0)
	var got []string
	for _, line := range strings.Split(text, "\n") {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '|' })
		switch {
		case strings.Contains(line, " stops with "+string(CodeZeroDate)):
			got = append(got, words[0]+" stops")
		case strings.Contains(line, " after "):
			got = append(got, words[3]+" "+words[5])
		}
	}
	sameText(t, strings.Join(got, "\n"), strings.Join(want, "\n"))
	if ahead < 8 {
		t.Errorf("%d events were read ahead, not even those up to the row", ahead)
	}
}

// I6 Rows behind a definition are read by it, although they were read ahead by the one before:
// the table keeps its id, and its rows their length.
func TestRowsReadAheadOfTheirDefinition(t *testing.T) {
	t.Parallel()
	l := &madeLog{}
	l.table(1, "a", 4)
	for _, last := range []binlogvalue.Type{binlogvalue.Long, binlogvalue.Float} {
		l.tables["a"].last = last
		l.begin(false)
		l.query("ALTER TABLE a COMMENT ''")
		l.describe("a")
		l.rows(replication.WRITE_ROWS_EVENTv1, "a", l.row("a", 1, day))
		l.commit()
	}
	c := inPlace()
	c.Decoders, c.StretchLeast, c.StretchBytes, c.decodes = 3, 1, 1, meet(t)
	text, ahead := readLog(t, c, l, len(l.events), 0)
	if !strings.Contains(text, "|67305985\n") || !strings.Contains(text, "|1.5399896e-36\n") || ahead != 2 {
		t.Errorf("%d events were read ahead\n%s", ahead, text)
	}
}

// Two goroutines are in rows at one time: each waits in a stretch for the other.
func TestRowsAreReadInParallel(t *testing.T) {
	t.Parallel()
	l := &madeLog{}
	l.table(1, "a", 3)
	l.begin(false)
	l.describe("a")
	for i := range 4 {
		l.rows(replication.WRITE_ROWS_EVENTv1, "a", l.row("a", i, day))
	}
	l.commit()
	c := inPlace()
	c.Decoders, c.StretchLeast, c.StretchBytes, c.decodes = 1, 1, 1, meet(t) // and the owner
	if text, _ := readLog(t, c, l, len(l.events), 0); strings.Count(text, " after ") != 4 {
		t.Errorf("got %s", text)
	}
}

// meet lets nobody read before two do.
func meet(t *testing.T) func(*stretch) {
	var in atomic.Int32
	both := make(chan struct{})
	return func(*stretch) {
		if in.Add(1) == 2 {
			close(both)
		}
		select {
		case <-both:
		case <-time.After(patience):
			t.Error("nobody reads beside")
		}
	}
}

// I9 What is ahead has its bounds: in stretches, in bytes of events, in bytes of rows, however
// much comes of what is compressed; and what is not worth it is not handed out.
func TestReadingAheadIsBounded(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]replication.EventType{
		"rows": replication.WRITE_ROWS_EVENTv1, "M14 compressed rows": replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, "M32 a compressed column": replication.WRITE_ROWS_EVENTv1,
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			l := &madeLog{random: random, text: 60}
			c := inPlace()
			c.Decoders, c.StretchLeast, c.StretchBytes, c.DecodedBytes = 2, 1, 600, 1500
			columns, rows := 3, 30
			switch {
			case isCompressed(kind): // to a tenth and less, and some lie beyond the bound by themselves
				l.text, rows, c.StretchBytes, c.DecodedBytes = 200, 40, 1500, 4000
			case name != "rows":
				columns, rows = 4, 4
			}
			l.table(1, "a", columns)
			l.tables["a"].last = binlogvalue.BlobCompressed
			l.begin(false)
			l.describe("a")
			for i := range 300 {
				var images [][]byte
				for range 1 + random.IntN(rows) {
					images = append(images, l.row("a", i, day))
				}
				l.rows(kind, "a", images...)
			}
			l.commit()
			readsWithinBounds(t, c, l)
		})
	}
}

// readsWithinBounds reads a log ahead, and looks what the stretches hold whenever a batch is
// handed over.
func readsWithinBounds(t *testing.T, c Config, l *madeLog) {
	const row = 400 // at most
	most, full := 0, false
	p := newLogReplay(t, c)
	p.eachBatch = func(d *decoders) {
		most = max(most, len(d.ahead))
		for _, s := range d.ahead {
			if n := eventBytes(s); n > c.StretchBytes+c.DecodedBytes { // the last one may be so large
				t.Fatalf("a stretch of %d bytes", n)
			}
			if s.isHere && heldBytes(s) > c.DecodedBytes+row {
				t.Fatalf("a stretch whose rows take %d bytes, and says %d", heldBytes(s), s.used())
			}
			full = full || s.isHere && s.used() >= c.DecodedBytes
		}
	}
	p.read(l, len(l.events))
	if most != stretchesPerDecoder*c.Decoders {
		t.Errorf("%d stretches were ahead, the bound is %d", most, stretchesPerDecoder*c.Decoders)
	}
	if !full {
		t.Error("no stretch came to its bound")
	}
	for free := p.source.a.decoders.free; len(free) > 0; {
		if s := <-free; s.used() > 0 || s.bytes > 0 {
			t.Errorf("a stretch that is empty has %d bytes, of events of %d", s.used(), s.bytes)
		}
	}
	want, _ := readLog(t, inPlace(), l, len(l.events), 0)
	if got, want := differ(p.text.String(), want); got != want {
		t.Errorf("read ahead\n%.1000s\nin its place\n%.1000s", got, want)
	}
	c.StretchLeast = 1 << 22
	if _, ahead := readLog(t, c, l, len(l.events), 0); ahead > 0 {
		t.Errorf("%d events were handed out that are too few", ahead)
	}
}

// eventBytes is what the events of a stretch take, unpacked.
func eventBytes(s *stretch) (n int) {
	for i := range s.events {
		n += s.events[i].size()
	}
	return n
}

// heldBytes is what the rows of a stretch take, without what it says itself of compressed ones.
func heldBytes(s *stretch) int {
	n := s.values.Size()
	for i := range s.events {
		if e := &s.events[i]; e.isRead && isCompressed(e.kind) {
			n += len(e.event.rows)
		}
	}
	for _, r := range s.rows {
		if last := r.after[len(r.after)-1]; last.Kind() == schema.KindBytes {
			n += len(last.Ref())
		}
	}
	return n
}

// I9 What is counted in for an event that is read is counted out when it is taken, whatever
// it is packed in.
func TestBudgetCountsOutWhatItCountedIn(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join(recordings, "*", "binlog"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d recordings, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run("M14 "+filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			f, in, all := framing{}, 0, 0
			parser := loadRecording(t, filepath.Dir(path)).parser()
			parser.SetRowsEventDecodeFunc(func(e *replication.RowsEvent, body []byte) error {
				in += len(body)
				return leaveRows(e, body)
			})
			err := parser.ParseFile(path, 0, func(e *replication.BinlogEvent) error {
				f.note(e)
				if out := f.rowBytes(e); out != in {
					t.Errorf("%s: %d bytes were counted in, %d out", e.Header.EventType, in, out)
				}
				all, in = all+in, 0
				return nil
			})
			if err != nil || all == 0 {
				t.Errorf("%d bytes of rows, %v", all, err)
			}
		})
	}
}

// What nobody waits for is not handed out: batches wait for Next, and another goroutine would
// have no more for them.
func TestNothingIsReadAheadOfAFullQueue(t *testing.T) {
	t.Parallel()
	c := inPlace()
	c.Decoders, c.StretchLeast, c.QueueBatches = 2, 1, 4
	p := newLogReplay(t, c)
	s := p.source
	s.a.decoders.wanted = s.hungers
	l := randomLog(rand.New(rand.NewPCG(5, 6)))
	for range 2 {
		if !s.hungers() {
			t.Fatal("half of the queue is empty")
		}
		b := s.queue.Get()
		b.EndWhole(pipeline.Resume{}, time.Time{})
		if err := s.queue.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if p.read(l, len(l.events)); p.ahead.Load() > 0 {
		t.Errorf("%d events were read ahead", p.ahead.Load())
	}
}

// A stream that ends waits for those who read, and for no rows that nobody takes, wherever
// it has come to.
func TestDecodersEnd(t *testing.T) {
	t.Parallel()
	log := randomLog(rand.New(rand.NewPCG(3, 4)))
	for stopped := 0; stopped < len(log.events); stopped += 3 {
		var began, ended atomic.Int32
		c := inPlace()
		c.Decoders, c.StretchLeast, c.StretchBytes = 2, 1, 100
		c.decodes = func(*stretch) {
			began.Add(1)
			for range 50 {
				runtime.Gosched()
			}
			ended.Add(1)
		}
		a := newLogReplay(t, c).source.a
		a.decoders.look(a.framing, log.events)
		for _, e := range log.events[:stopped] {
			if err := a.event(e); err != nil {
				t.Fatal(err)
			}
		}
		a.decoders.close()
		if n := began.Load(); n != ended.Load() {
			t.Fatalf("%d began to read, and %d have ended", n, ended.Load())
		}
		a.xa.drop()
	}
}

const (
	day   = "58ce0f"
	noDay = "000000" // in a column that cannot be NULL
)

// A madeLog is a log of a MariaDB that never was: tables (id int, v varchar, d date), and
// some with one column more, an int, a float or a COMPRESSED blob.
type madeLog struct {
	random *rand.Rand
	text   int // bytes of a random text, at most
	events []*replication.BinlogEvent
	tables map[string]*madeTable
	seq    uint64
	packer *zlib.Writer // keeps its memory
}

type madeTable struct {
	id      uint64
	columns int
	last    binlogvalue.Type // of the fourth: four bytes that mean one thing or another, but for a blob
}

func (l *madeLog) add(kind replication.EventType, e replication.Event, body []byte) {
	raw := append(make([]byte, replication.EventHeaderSize), body...)
	l.events = append(l.events, &replication.BinlogEvent{RawData: raw, Header: &replication.EventHeader{EventType: kind, Timestamp: 1700000000, LogPos: uint32(len(l.events) + 1)}, Event: e})
}

func (l *madeLog) table(id uint64, name string, columns int) {
	if l.tables == nil {
		l.tables = map[string]*madeTable{}
	}
	l.tables[name] = &madeTable{id, columns, binlogvalue.Long}
}

func (l *madeLog) begin(xa bool) {
	l.seq++
	e := &replication.MariadbGTIDEvent{GTID: mysql.MariadbGTID{DomainID: 0, ServerID: 1, SequenceNumber: l.seq}}
	if xa {
		e.Flags = preparedXA
	}
	l.add(replication.MARIADB_GTID_EVENT, e, nil)
}

func (l *madeLog) commit() { l.add(replication.XID_EVENT, &replication.XIDEvent{}, nil) }

func (l *madeLog) query(sql string) {
	l.add(replication.QUERY_EVENT, &replication.QueryEvent{Query: []byte(sql), Schema: []byte("recorded")}, nil)
}

func (l *madeLog) head(t *madeTable) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, t.id)[:6], 0, 0)
}

// describe adds the Table_map of a table.
func (l *madeLog) describe(name string) {
	t := l.tables[name]
	b := append(l.head(t), 8)
	b = append(append(b, "recorded\x00"...), byte(len(name)))
	b = append(append(b, name+"\x00"...), byte(t.columns))
	b = append(b, []byte{byte(binlogvalue.Long), byte(binlogvalue.Varchar), byte(binlogvalue.Date), byte(t.last)}[:t.columns]...)
	meta := []byte{200, 0} // of the varchar
	if t.columns == 4 && t.last != binlogvalue.Long {
		meta = append(meta, 4)
	}
	b = append(append(b, byte(len(meta))), meta...)
	l.add(replication.TABLE_MAP_EVENT, &replication.TableMapEvent{}, append(b, 0b1000))
}

// row is an image of a row.
func (l *madeLog) row(table string, id int, date string) []byte {
	t := l.tables[table]
	text := fmt.Sprintf("text %d of %s", id, table)
	if l.random != nil {
		text = strings.Repeat("x", l.random.IntN(l.text))
	}
	b := binary.LittleEndian.AppendUint32([]byte{0}, uint32(id))
	b = append(append(b, byte(len(text))), text...)
	when, err := hex.DecodeString(date)
	if err != nil {
		panic(err)
	}
	b = append(b, when...)
	switch {
	case t.columns == 3:
		return b
	case t.last == binlogvalue.BlobCompressed:
		packed := l.pack(bytes.Repeat([]byte{byte(id)}, []int{10, 300, 1000, 1<<20 + 1}[id%100/33]))
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(packed))), packed...)
	}
	return append(b, 1, 2, 3, 4)
}

// pack packs as MariaDB does what is compressed, an event's rows or a column's value.
func (l *madeLog) pack(b []byte) []byte {
	out := bytes.NewBuffer(binary.BigEndian.AppendUint32([]byte{0x84}, uint32(len(b))))
	if l.packer == nil {
		l.packer = zlib.NewWriter(nil)
	}
	l.packer.Reset(out)
	_, err := l.packer.Write(b)
	if err = errors.Join(err, l.packer.Close()); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func (l *madeLog) rows(kind replication.EventType, table string, rows ...[]byte) {
	t := l.tables[table]
	b := append(l.head(t), byte(t.columns), 0xff)
	if op, _ := rowsOp(kind); op == pipeline.Update {
		b = append(b, 0xff)
	}
	images := slices.Concat(rows...)
	if isCompressed(kind) {
		images = l.pack(images)
	}
	l.add(kind, &replication.RowsEvent{}, append(b, images...))
}

// randomLog is transactions over tables of which one is not captured, definitions between
// them, prepared transactions, and here and there a row that cannot be read.
func randomLog(random *rand.Rand) *madeLog {
	l := &madeLog{random: random, text: 60}
	for i, name := range []string{"a", "b", "c", "other"} {
		l.table(uint64(i+1), name, 3)
	}
	for range 20 + random.IntN(20) {
		switch random.IntN(8) {
		case 0:
			l.define()
		case 1:
			l.xa()
		default:
			l.begin(false)
			l.changes()
			l.commit()
		}
	}
	return l
}

func (l *madeLog) pick() string { return []string{"a", "b", "c", "other"}[l.random.IntN(4)] }

// define alters a table, which has another id from then on; or empties it.
func (l *madeLog) define() {
	name := l.pick()
	l.seq++
	e := &replication.MariadbGTIDEvent{GTID: mysql.MariadbGTID{ServerID: 1, SequenceNumber: l.seq}, Flags: 1} // standalone
	l.add(replication.MARIADB_GTID_EVENT, e, nil)
	if l.random.IntN(3) == 0 {
		l.query("TRUNCATE TABLE " + name)
		return
	}
	l.query("ALTER TABLE " + name + " COMMENT ''")
	t := &madeTable{uint64(100 + l.seq), 3 + l.random.IntN(2), []binlogvalue.Type{binlogvalue.Long, binlogvalue.Float}[l.random.IntN(2)]}
	if l.random.IntN(4) == 0 {
		t.id = l.tables[name].id // as no server has it
	}
	l.tables[name] = t
}

// xa prepares a transaction, and ends it behind another one.
func (l *madeLog) xa() {
	name := fmt.Sprintf("X'%02x',X'',1", l.seq%200)
	l.begin(true)
	l.query("XA START " + name)
	l.changes()
	l.query("XA END " + name)
	l.add(replication.XA_PREPARE_LOG_EVENT, &replication.GenericEvent{}, []byte{0})
	l.begin(false)
	l.changes()
	l.commit()
	l.begin(false)
	l.query([]string{"XA COMMIT ", "XA ROLLBACK "}[l.random.IntN(2)] + name)
}

func (l *madeLog) changes() {
	for range 1 + l.random.IntN(3) {
		name := l.pick()
		l.describe(name)
		for range 1 + l.random.IntN(4) {
			kind := []replication.EventType{
				replication.WRITE_ROWS_EVENTv1, replication.UPDATE_ROWS_EVENTv1, replication.DELETE_ROWS_EVENTv1,
				replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1, replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1,
			}[l.random.IntN(6)]
			var rows [][]byte
			for range 2 * (1 + l.random.IntN(10)) {
				date := day
				if l.random.IntN(2000) == 0 {
					date = noDay
				}
				rows = append(rows, l.row(name, l.random.IntN(1000), date))
			}
			l.rows(kind, name, rows...)
		}
	}
}

// readLog reads a made log, so many events at a time, and gives its text and how many events
// were read ahead. As many batches as hold are not taken back meanwhile, and printed then.
func readLog(t *testing.T, c Config, l *madeLog, dump, hold int) (text string, ahead int) {
	t.Helper()
	p := newLogReplay(t, c)
	p.hold = hold
	p.read(l, dump)
	return p.text.String(), int(p.ahead.Load())
}

// A logReplay reads made logs.
type logReplay struct {
	*replay
	hold      int
	held      []heldBatch
	ahead     atomic.Int64    // events
	eachBatch func(*decoders) // that is handed over
}

// A heldBatch is one that was handed over, and what it said then.
type heldBatch struct {
	*handover.Batch
	text string
}

func newLogReplay(t *testing.T, c Config) *logReplay {
	all := &collations{byID: map[uint64]collation{}, byName: map[string]collation{}, mariaDB: true, charsets: binlogvalue.NewCharsets(), unheard: map[string]bool{}}
	p := &logReplay{}
	given := c.decodes
	c.decodes = func(s *stretch) {
		p.ahead.Add(int64(len(s.events)))
		if given != nil {
			given(s)
		}
	}
	p.replay = &replay{T: t, rec: &recording{}, source: New(c)}
	s := p.source
	s.collations, s.tables = all, newRelations(all, false)
	for _, name := range []string{"a", "b", "c"} {
		s.tables.add(&relation{TableName: TableName{"recorded", name}})
	}
	s.a = &assembler{config: &s.config, tables: s.tables, fresh: s.queue.Get, emit: p.emit, shape: p.shape, said: p.said, decoders: newDecoders(&s.config, always)}
	return p
}

// shape names the columns of a made log.
func (p *logReplay) shape(m *tableMap) (*shape, error) {
	rel := p.source.tables.find(TableName{m.database, m.table})
	isSame := func(a, b binlogvalue.Column) bool { return a.Type == b.Type }
	if rel.shape != nil && slices.EqualFunc(rel.shape.columns, m.columns, isSame) {
		return rel.shape, nil
	}
	for i := range m.columns {
		m.columns[i].Name = []string{"id", "v", "d", "w"}[i]
	}
	m.columns[1].Charset, m.columns[1].MaxLen = "utf8mb4", 4
	return p.source.newShape(rel.TableName, m.columns, []string{"id"})
}

// emit prints a batch, and has it held.
func (p *logReplay) emit(b *handover.Batch) error {
	if p.eachBatch != nil {
		p.eachBatch(p.source.a.decoders)
	}
	from := p.text.Len()
	p.print(b)
	if p.held = append(p.held, heldBatch{b, p.text.String()[from:]}); len(p.held) > p.hold {
		p.release()
	}
	return nil
}

func (p *logReplay) print(b *handover.Batch) {
	p.Helper()
	if err := p.replay.emit(b); err != nil {
		p.Fatal(err)
	}
	for _, end := range []*pipeline.Resume{b.WholeEnd, b.PartEnd} {
		if end != nil {
			fmt.Fprintf(&p.text, "%d changes, %d whole, end at %d rows behind %s: %s\n", len(b.Changes), b.Whole, end.Rows, end.At, end.State)
		}
	}
}

// release takes back the batch that is held longest, which has to say what it said.
func (p *logReplay) release() {
	p.Helper()
	b := p.held[0]
	p.held = p.held[1:]
	said := p.text.String()
	p.text.Reset()
	p.print(b.Batch)
	if now := p.text.String(); now != b.text {
		p.Errorf("a batch said\n%s\nwhen it was made, and says\n%s", b.text, now)
	}
	p.text.Reset()
	p.text.WriteString(said)
	b.Reset()
}

// read takes the events as a stream does, so many at a time.
func (p *logReplay) read(l *madeLog, dump int) {
	p.Helper()
	s := p.source
	s.separate.Store(true) // each transaction is handed over
	st := &stream{source: s, budget: newBudget(1 << 30), ahead: s.a.decoders}
	for events := range slices.Chunk(l.events, dump) {
		if err := st.takeAll(events); err != nil {
			p.Fatal(err)
		}
	}
	s.a.decoders.close()
	for len(p.held) > 0 {
		p.release()
	}
	s.a.xa.drop()
}
