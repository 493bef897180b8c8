package avro_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/evertdb/evert/schema/avro"
)

// Events that follow another one under the same Tail are written as without it,
// whatever they have in common with it.
func TestTail(t *testing.T) {
	table, row := narrow()
	variants := []func(e *avro.Event){
		func(e *avro.Event) {},
		func(e *avro.Event) { e.After = nil },
		func(e *avro.Event) { e.Before = row },
		func(e *avro.Event) { e.Op = 'c' },
		func(e *avro.Event) { e.At = e.At.Add(1) },
		func(e *avro.Event) { e.At = time.Time{} },
		func(e *avro.Event) { e.Origin.At = e.Origin.At.Add(1) },
		func(e *avro.Event) { e.Origin.Snapshot = avro.SnapshotIncremental },
		func(e *avro.Event) { e.Origin.Postgres.LSN++ },
		func(e *avro.Event) { e.Origin.Postgres.CommitLSN++ },
		func(e *avro.Event) { e.Origin.Postgres.TxID++ },
		func(e *avro.Event) { e.Origin.Postgres.Xmin++ },
		func(e *avro.Event) { e.Origin.Postgres.Origin = "there" },
		func(e *avro.Event) { e.Origin.Postgres.OriginLSN++ },
		func(e *avro.Event) { e.Origin.MySQL.Row++ },
		func(e *avro.Event) { e.Origin.MySQL.Pos++ },
	}
	other, mysql := options, options
	other.Name, mysql.Connector = "another", "mysql"
	codecs := []*avro.Codec{compile(t, table, options), compile(t, table, other), compile(t, table, mysql), compile(t, table, rowOptions())}
	event := func(v int) avro.Event {
		origin := benchOrigin
		origin.Snapshot = avro.Snapshotted
		e := avro.Event{Op: 'r', After: row, Origin: &origin, At: time.Unix(1_767_225_601, 5)}
		variants[v](&e)
		return e
	}
	for first := range len(variants) * len(codecs) {
		for second := range len(variants) * len(codecs) {
			var tail avro.Tail
			for _, n := range []int{first, second, second} {
				c, e := codecs[n%len(codecs)], event(n/len(codecs))
				want, errWant := c.AppendValue(nil, &e)
				e.Tail = &tail
				got, err := c.AppendValue(nil, &e)
				if !bytes.Equal(got, want) || fmt.Sprint(err) != fmt.Sprint(errWant) {
					t.Fatalf("event %d behind %d: %x (%v), without a tail %x (%v)", second, first, got, err, want, errWant)
				}
			}
		}
	}
}

// A row of a snapshot costs less with a Tail.
func BenchmarkSnapshot9(b *testing.B) {
	table, row := narrow()
	origin := benchOrigin
	origin.Snapshot = avro.Snapshotted
	e := avro.Event{Op: 'r', After: row, Origin: &origin, At: time.Unix(1, 0)}
	for name, tail := range map[string]*avro.Tail{"anew": nil, "tail": new(avro.Tail)} {
		b.Run(name, func(b *testing.B) { e.Tail = tail; benchValue(b, table, &e, avro.Debezium) })
	}
}
