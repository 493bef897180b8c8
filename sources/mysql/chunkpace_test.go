package mysql

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// Four readers of one table keep to snapshot.max_rate together: by a clock that stands
// still one chunk is read and no more, and each of the others when all bytes before it have
// had their time, not a nanosecond earlier.
func TestRateOfReaders(t *testing.T) {
	t.Parallel()
	const rate = 1000 // bytes a second: hours for the table
	d := newDB(t)
	d.do("CREATE TABLE a (id int primary key, v varchar(200))", "INSERT INTO a VALUES "+numbered(2000, "(%[1]d, repeat('v', 150))"))
	c := d.config("a")
	c.ChunkAbove, c.ChunkRows, c.SnapshotWorkers, c.MaxRate = 1, 50, 4, rate
	var begun, clock atomic.Int64
	c.reads = func() { begun.Add(1) }
	r := d.reader(c, pipeline.Resume{})
	pace := &r.source.copies.pace
	pace.now = func() time.Time { return time.Unix(1, clock.Load()) }
	if err := r.source.Open(t.Context(), pipeline.Resume{}); err != nil {
		t.Fatal(err)
	}
	r.copied()
	others := 0
	passes := func() { // transactions, behind each of which a chunk could be asked for
		for range 5 {
			others++
			d.do(fmt.Sprintf("INSERT INTO a VALUES (%d, 'behind all chunks of the test')", 10000+others))
			r.caught()
		}
	}
	for chunk := int64(1); chunk <= 6; chunk++ {
		for r.reads["a"] < 50*int(chunk) {
			if err := r.next(); err != nil {
				t.Fatal(err)
			}
		}
		passes()
		if n := begun.Load(); n != chunk {
			t.Fatalf("%d chunks were begun where the rate allows %d", n, chunk)
		}
		ahead := pace.rate.Take(0, pace.now())
		if least := 50 * 150 * time.Second / rate; ahead < least || ahead > 2*least {
			t.Fatalf("a chunk of at least 7500 bytes counts as %s at %d bytes a second", ahead, rate)
		}
		clock.Add(int64(ahead - 1))
		passes()
		if n := begun.Load(); n != chunk {
			t.Fatalf("chunk %d was begun before its time", n)
		}
		clock.Add(1)
		r.source.copies.bell.ring()
	}
}
