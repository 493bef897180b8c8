//go:build unix

package mysql

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// BenchmarkRows is what one event of rows costs from the log to a batch, by one goroutine
// and by as many as -cpu gives.
func BenchmarkRows(b *testing.B) {
	for _, table := range []string{"narrow", "wide"} {
		for name, decoders := range map[string]int{"in place": -1, "ahead": 0} {
			b.Run(table+" "+name, func(b *testing.B) { benchmarkRows(b, benchColumns()[table], decoders) })
		}
	}
}

type benchColumn struct {
	binlogvalue.Column
	value string // in hex
}

// benchColumns are those of the benchmark in integration/bench, or nearly.
func benchColumns() map[string][]benchColumn {
	text := func(size int, value string) benchColumn {
		n := fmt.Sprintf("%02x", len(value))
		if size > 255 {
			n += "00"
		}
		return benchColumn{binlogvalue.Column{Type: binlogvalue.Varchar, Size: size, Charset: "utf8mb4", MaxLen: 4}, n + hex.EncodeToString([]byte(value))}
	}
	number := benchColumn{binlogvalue.Column{Type: binlogvalue.Long}, "07000000"}
	amount := benchColumn{binlogvalue.Column{Type: binlogvalue.NewDecimal, Precise: 14, Scale: 4}, "810dfb38d204d2"}
	return map[string][]benchColumn{
		"narrow": {number, number, amount, text(40, "open")},
		"wide": {
			{binlogvalue.Column{Type: binlogvalue.LongLong}, "0700000000000000"}, number,
			{binlogvalue.Column{Type: binlogvalue.Enum, Size: 1, Labels: []string{"open", "paid", "sent"}, Charset: "utf8mb4"}, "01"},
			text(320, "order number 123456"), amount, amount, {binlogvalue.Column{Type: binlogvalue.Tiny}, "01"},
			{binlogvalue.Column{Type: binlogvalue.Timestamp2, Precise: 3}, "6500000003e8"}, {binlogvalue.Column{Type: binlogvalue.Datetime2}, "99b27ac8a0"},
			{binlogvalue.Column{Type: binlogvalue.Date}, day}, {binlogvalue.Column{Type: binlogvalue.Time2, Precise: 6}, "b46efb0f423f"},
			{binlogvalue.Column{Type: binlogvalue.Double}, "000000000000f03f"}, {binlogvalue.Column{Type: binlogvalue.Float}, "0000803f"},
			{binlogvalue.Column{Type: binlogvalue.Set, Size: 1, Labels: []string{"a", "b", "c"}, Charset: "utf8mb4"}, "05"},
			{binlogvalue.Column{Type: binlogvalue.Varchar, Size: 40}, "10" + strings.Repeat("a5", 16)}, {binlogvalue.Column{Type: binlogvalue.Year}, "7b"},
			{binlogvalue.Column{Type: binlogvalue.Bit, Size: 12}, "0abc"}, text(400, strings.Repeat("x", 100)), text(400, `{"n": 1, "of": "c7"}`),
		},
	}
}

func benchmarkRows(b *testing.B, columns []benchColumn, decoders int) {
	s := New(Config{Name: "bench", Decoders: decoders})
	s.collations = &collations{charsets: binlogvalue.NewCharsets()}
	s.tables = newRelations(s.collations, false)
	rel := &relation{TableName: TableName{"bench", "rows"}, current: true}
	s.tables.add(rel)
	var all []binlogvalue.Column
	row := strings.Repeat("00", (len(columns)+7)/8)
	for i, c := range columns {
		c.Name = fmt.Sprint("c", i)
		all = append(all, c.Column)
		row += c.value
	}
	var err error
	if rel.shape, err = s.newShape(rel.TableName, all, []string{"c0"}); err != nil {
		b.Fatal(err)
	}
	image, err := hex.DecodeString(row)
	if err != nil {
		b.Fatal(err)
	}
	l := &madeLog{tables: map[string]*madeTable{"rows": {id: 1, columns: len(columns)}}}
	head := append(append(l.head(l.tables["rows"]), byte(len(columns))), 0xff, 0xff, 0xff)[:9+(len(columns)+7)/8]
	rows := 8000 / len(image)
	l.begin(false)
	for range 512 {
		l.add(replication.WRITE_ROWS_EVENTv1, &replication.RowsEvent{}, append(head[:len(head):len(head)], bytes.Repeat(image, rows)...))
	}
	l.commit()
	taken := make(chan *handover.Batch, s.config.QueueBatches)
	free := make(chan *handover.Batch, 2*s.config.QueueBatches)
	go func() { // who takes the batches and gives them back
		defer close(free)
		for batch := range taken {
			batch.Reset()
			free <- batch
		}
	}()
	fresh := func() *handover.Batch {
		select {
		case batch := <-free:
			return batch
		default:
			return s.queue.Get()
		}
	}
	emit := func(batch *handover.Batch) error { taken <- batch; return nil }
	s.a = &assembler{config: &s.config, tables: s.tables, fresh: fresh, emit: emit, decoders: newDecoders(&s.config, always), mapped: map[uint64]*mapped{1: {rel: rel}}}
	b.ReportAllocs()
	b.SetBytes(int64(rows * len(image)))
	began := cpuTime(b)
	b.ResetTimer()
	for n := 0; n < b.N; n += 512 {
		l.events[0].Event.(*replication.MariadbGTIDEvent).GTID.SequenceNumber++
		s.a.decoders.look(s.a.framing, l.events)
		for _, e := range l.events {
			if err := s.a.event(e); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	events := float64((b.N + 511) / 512 * 512)
	b.ReportMetric(float64(rows)*events/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric((cpuTime(b)-began).Seconds()*1e6/(events*float64(rows)), "s-cpu/Mrow")
	s.a.decoders.close()
	close(taken)
	for range free {
	}
}

// cpuTime is what the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
