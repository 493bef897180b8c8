package capture_test

import (
	"math"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// A row on its way into the log allocates nothing of its own: of a thousand, what the
// log takes for a batch remains. The least of some batches counts, since the log works
// beside them.
func TestWriteAllocates(t *testing.T) {
	s := newStory(t)
	s.open()
	const rows = 1000
	kinds := map[string]pipeline.Change{"row of a snapshot": read(people, person(1, "Ada", "~")), "update": update(orders, order(7, 10), order(7, 12))}
	for kind, change := range kinds {
		changes := make([]pipeline.Change, rows)
		for i := range changes {
			changes[i] = change
		}
		least := math.Inf(1)
		for range 10 {
			least = min(least, testing.AllocsPerRun(1, func() { s.write(changes...) }))
			s.commit()
		}
		if least > rows/10 {
			t.Errorf("%d times the %s took %v allocations", rows, kind, least)
		}
	}
}
