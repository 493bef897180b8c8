package monitor

import "time"

// A trend is how a supply has shrunk over the last minutes: room on a disk, or
// what a server may still write before it drops what we need.
type trend struct {
	at     []time.Time
	levels []int64
}

// trendSamples is how many samples a trend looks back; they come every few
// seconds.
const trendSamples = 120

func (t *trend) add(now time.Time, level int64) {
	t.at, t.levels = append(t.at, now), append(t.levels, level)
	if over := len(t.at) - trendSamples; over > 0 {
		t.at, t.levels = t.at[over:], t.levels[over:]
	}
}

// secondsLeft gives the time until the supply is used up if it goes on shrinking
// as it did; nil if it does not shrink.
func (t *trend) secondsLeft() *float64 {
	n := len(t.at)
	if n < 2 {
		return nil
	}
	span := t.at[n-1].Sub(t.at[0]).Seconds()
	used := float64(t.levels[0] - t.levels[n-1])
	if span <= 0 || used <= 0 {
		return nil
	}
	left := max(0, float64(t.levels[n-1])) * span / used
	return &left
}
