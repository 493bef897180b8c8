package handover

import (
	"testing"
	"time"
)

func TestPaceIsOverAllWhoShareIt(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	p := &Pace{Rate: 1000}
	for i, want := range []time.Duration{0, 500 * time.Millisecond, time.Second} {
		if got := p.Take(500, now); got != want {
			t.Errorf("piece %d: %s ahead, want %s", i, got, want)
		}
	}
	if got := p.Take(1, now.Add(time.Minute)); got != 0 {
		t.Errorf("%s ahead after a minute in which nothing passed", got)
	}
	if got := (&Pace{}).Take(1<<40, now); got != 0 {
		t.Errorf("%s ahead without a limit", got)
	}
}
