package monitor

import (
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// O05 lag and delivery are reckoned by the source's clock alone, whatever ours says;
// a clock that is not ours is marked, and no age is below nothing.
func TestClock(t *testing.T) {
	d := newDay()
	source := d.now // its clock, which the day's own goes astray from
	commit := func() {
		d.Events().Written(pipeline.Batch{Changes: changes(1)})
		d.Events().Committed(pipeline.Committed{Rows: 1, Ends: 1, Time: source.Add(-20 * time.Millisecond),
			At: pipeline.Resume{At: pipeline.Position{Seq: d.Position().At.Seq + 1, Native: "0/1"}}})
	}
	ask := func() {
		ahead := source.Sub(d.now)
		d.Probed(Probe{End: "0/1", ClockAhead: &ahead})
	}
	d.Events().Opened(pipeline.Resume{At: pipeline.Position{Seq: 1, Native: "0/1"}})
	for _, c := range []struct {
		name   string
		ours   time.Duration // against the source's
		marked bool
	}{
		{"O05 the same", 0, false}, {"O05 a second", time.Second, false}, {"O05 an hour ahead", time.Hour, true},
		{"O05 an hour behind", -time.Hour, true}, {"O05 right again", 0, false}, {"O05 three seconds behind", -3 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.now = source.Add(c.ours)
			ask()
			commit()
			source, d.now = source.Add(5*time.Second), d.now.Add(5*time.Second)
			st := d.Status()
			if *st.LagSeconds != 5.02 || st.ClockSkewed != c.marked {
				t.Errorf("lag %v s, marked %v; want 5.02 s, %v", *st.LagSeconds, st.ClockSkewed, c.marked)
			}
			if p := st.Latency.DeliveryP99; p < 0.019 || p > 0.021 {
				t.Errorf("delivery took %v s", p)
			}
		})
	}
	t.Run("O05 backwards between two answers", func(t *testing.T) {
		commit()
		d.now = source.Add(-time.Hour)
		if st := d.Status(); *st.LagSeconds != 0 || !st.ClockSkewed {
			t.Errorf("before the server was asked: lag %v s, marked %v", *st.LagSeconds, st.ClockSkewed)
		}
	})
}
