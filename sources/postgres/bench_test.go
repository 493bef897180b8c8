package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// BenchmarkAssembleRow9 is what one row of nine columns costs from message to
// change, everything but the network.
func BenchmarkAssembleRow9(b *testing.B) {
	ops := []pgvalue.Op{pgvalue.Int8, pgvalue.Int4, pgvalue.Int2, pgvalue.Numeric, pgvalue.Timestamptz, pgvalue.Bool, pgvalue.Text, pgvalue.Float8, pgvalue.Text}
	words := []string{"1000001", "4711", "3", "1999.99", "2026-11-22 10:00:00.123456+00", "t", "some text of a row", "1.5", "another text of the same row"}
	a, sh := benchAssembler(ops)
	row := &pgoutput.Decoder{Row: pgoutput.Row{Relation: sh.oid}}
	for _, w := range words {
		row.Row.New = append(row.Row.New, pgoutput.Column{Kind: pgoutput.Text, Data: []byte(w)})
	}
	insert := pgoutput.Append(nil, pgoutput.Insert, row)
	begin := pgoutput.Append(nil, pgoutput.Begin, &pgoutput.Decoder{Tx: pgoutput.TxMessage{LSN: 1 << 40, XID: 7}})
	if err := a.message(1, begin); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(insert)))
	b.ReportAllocs()
	for b.Loop() {
		if err := a.message(1, insert); err != nil {
			b.Fatal(err)
		}
	}
}

func benchAssembler(ops []pgvalue.Op) (*assembler, *shape) {
	c := DefaultConfig()
	sh := &shape{oid: 16384, table: testTable("orders", len(ops))}
	for i, op := range ops {
		sh.codecs = append(sh.codecs, pgvalue.Codec{Op: op})
		sh.columns = append(sh.columns, shapeColumn{num: i + 1})
	}
	pool := newBatch()
	a := &assembler{
		config: &c, spill: newSpill("", 1<<20), rels: map[uint32]*relation{sh.oid: {shape: sh}},
		fresh: func() *batch { return pool },
		emit:  func(b *batch) error { b.reset(); return nil },
	}
	return a, sh
}

// TestCatchUpSpeed is run by hand: EVERT_SPEED=1 go test -run CatchUpSpeed -v.
// It compares this source with pg_recvlogical on the same log.
func TestCatchUpSpeed(t *testing.T) {
	if os.Getenv("EVERT_SPEED") == "" {
		t.Skip("SKIPPED: a measurement, run with EVERT_SPEED=1")
	}
	server := pgtest.Start(t, pgtest.Options{Settings: map[string]string{"max_wal_size": "4GB", "shared_buffers": "128MB"}})
	d := dbAt(t, server.URL("postgres"))
	d.do(`CREATE TABLE wide (id bigint PRIMARY KEY, a int, b smallint, n numeric(12,2), at timestamptz, ok bool, s text, f float8, u text)`)
	c := d.config()
	c.PollInterval = time.Hour
	r := open(t, c, pipeline.Resume{})
	r.snapshot()
	from := r.close()
	d.do(`CREATE PUBLICATION p2 FOR ALL TABLES`)
	d.do(`SELECT pg_create_logical_replication_slot('recv', 'pgoutput')`)
	const rows, per = 1_000_000, 1000
	d.do(`DO $$ BEGIN FOR i IN 0..%d LOOP
		INSERT INTO wide SELECT i*%d+g, g, g %% 100, g * 1.5, now(), true, 'some text of a row', g / 3.0, md5(g::text) FROM generate_series(1, %d) g;
		COMMIT; END LOOP; END $$`, rows/per-1, per, per)
	end := d.get("SELECT pg_current_wal_lsn()")

	recv, err := server.Binaries().Tool("pg_recvlogical")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cmd := exec.Command(recv, "-d", server.URL("postgres"), "--slot=recv", "--start", "-f", "/dev/null", "--endpos="+end,
		"-o", "proto_version=1", "-o", "publication_names=p2")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	limit := time.Since(began)

	began = time.Now()
	r = open(t, c, from)
	seen, batches := 0, 0
	r.until2(end, func(b pipeline.Batch) { seen += len(b.Changes); batches++ })
	took := time.Since(began)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("pg_recvlogical %.0f rows/s; source %.0f rows/s in %d batches (ratio %.2f); %d rows; heap %d MB, %d GCs",
		rows/limit.Seconds(), rows/took.Seconds(), batches, limit.Seconds()/took.Seconds(), seen, m.HeapSys>>20, m.NumGC)
	r.close()

	began = time.Now()
	if out, err := exec.Command("psql", server.URL("postgres"), "-c", `\copy wide to '/dev/null'`).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	limit = time.Since(began)
	c.Slot, c.Publication = "snap", "snap_pub"
	began = time.Now()
	r = open(t, c, pipeline.Resume{})
	seen = 0
	r.until2("0/1", func(b pipeline.Batch) { seen += len(b.Changes) })
	took = time.Since(began)
	t.Logf("COPY %.0f rows/s; snapshot %.0f rows/s (ratio %.2f), %d rows", rows/limit.Seconds(), rows/took.Seconds(), limit.Seconds()/took.Seconds(), seen)
	if seen != rows {
		t.Error(fmt.Errorf("%d rows", seen))
	}
}

// until2 counts batches up to a place.
func (r *run) until2(place string, f func(b pipeline.Batch)) {
	for {
		b, err := r.next()
		if err != nil {
			r.t.Fatal(err)
		}
		f(b)
		if !r.resume.At.IsZero() && r.resume.Rows == 0 {
			if ok, _ := reached(r.resume.At.Native, place); ok {
				return
			}
		}
	}
}
