package listener_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded/listener"
)

const (
	benchRecords = 200_000
	benchValue   = 250 // bytes
)

// BenchmarkRead reads the same topic by the log's own reader, by fetches whose
// answers are only counted, and by franz-go, which decodes them on the same
// machine.
func BenchmarkRead(b *testing.B) {
	l := newLab(b, listener.Config{})
	tp, w := l.topic("t"), l.writer("w")
	value := make([]byte, benchValue)
	for i := range benchRecords {
		r := log.Record{TopicPartition: tp, Key: fmt.Appendf(nil, "%012d", i), Value: value, Headers: []log.Header{{Key: log.PosHeader, Value: value[:20]}}}
		l.must(w.Append(l.ctx, r))
		if i%20_000 == 19_999 {
			l.must(w.Commit(l.ctx, nil))
		}
	}
	for _, by := range []struct {
		name string
		read func(tp log.TopicPartition) (records int64)
	}{{"own reader", l.scan}, {"fetch", l.fetchAll}, {"franz-go", l.franz}} {
		b.Run(by.name, func(b *testing.B) {
			for b.Loop() {
				if n := by.read(tp); n != benchRecords {
					b.Fatalf("%d records", n)
				}
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(benchRecords/seconds, "records/s")
			b.ReportMetric(benchRecords*(benchValue+12+20)/seconds/1e6, "MB/s")
		})
	}
}

func (b *lab) scan(tp log.TopicPartition) (n int64) {
	b.must(log.Scan(b.ctx, b.log, tp, b.ends(tp), func(*log.Record) error { n++; return nil }))
	return n
}

// fetchAll goes by the headers of the batches.
func (b *lab) fetchAll(tp log.TopicPartition) (records int64) {
	c := b.dial()
	defer c.Close()
	for at, end := int64(0), b.ends(tp).Stable; at < end; {
		p := ask[*kmsg.FetchResponse](c, fetchRequest(11, tp, [16]byte{}, at)).Topics[0].Partitions[0]
		for rest := p.RecordBatches; len(rest) > 0; {
			at = int64(binary.BigEndian.Uint64(rest)) + int64(binary.BigEndian.Uint32(rest[23:])) + 1
			records += int64(binary.BigEndian.Uint32(rest[57:]))
			rest = rest[12+binary.BigEndian.Uint32(rest[8:]):]
		}
	}
	return records
}

func (b *lab) franz(tp log.TopicPartition) int64 {
	return int64(len(b.foreign(tp, 0, b.ends(tp).Stable)))
}
