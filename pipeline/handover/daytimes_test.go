package handover

import (
	"testing"
	"time"
)

func TestDaytimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		times, now string
		want       time.Duration
	}{
		{"22:00-05:00", "21:59:30", 30 * time.Second},
		{"22:00-05:00", "22:00:00", 0},
		{"22:00-05:00", "23:59:59", 0},
		{"22:00-05:00", "00:00:00", 0},
		{"22:00-05:00", "05:00:00", 17 * time.Hour},
		{"01:30-02:00", "01:29:00", time.Minute},
		{"01:30-02:00", "01:59:59", 0},
		{"01:30-02:00", "02:00:00", 23*time.Hour + 30*time.Minute},
	} {
		d, err := ParseDaytimes(c.times)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse("15:04:05", c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Until(now); got != c.want {
			t.Errorf("%s at %s: begins in %s, want %s", c.times, c.now, got, c.want)
		}
	}
	if (Daytimes{}).Until(time.Now()) != 0 {
		t.Error("no daytimes are not the whole day")
	}
	if _, err := ParseDaytimes("night"); err == nil {
		t.Error("night is taken")
	}
}
