package handover

import (
	"fmt"
	"time"
)

// Daytimes are a part of each day, which may lie around midnight: from and to since
// midnight. The zero value is the whole day.
type Daytimes struct{ From, To time.Duration }

// ParseDaytimes reads 22:00-05:00.
func ParseDaytimes(text string) (Daytimes, error) {
	var fh, fm, th, tm int
	if n, err := fmt.Sscanf(text, "%d:%d-%d:%d", &fh, &fm, &th, &tm); n != 4 || err != nil {
		return Daytimes{}, fmt.Errorf("%q is not a part of the day such as 22:00-05:00", text)
	}
	at := func(h, m int) time.Duration { return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute }
	return Daytimes{at(fh, fm), at(th, tm)}, nil
}

// Until gives how long it takes until the daytimes begin; 0 within them.
func (d Daytimes) Until(now time.Time) time.Duration {
	if d == (Daytimes{}) {
		return 0
	}
	clock := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute + time.Duration(now.Second())*time.Second
	within := d.From <= clock && clock < d.To
	if d.To <= d.From {
		within = clock >= d.From || clock < d.To
	}
	if within {
		return 0
	}
	return (d.From - clock + 24*time.Hour) % (24 * time.Hour)
}
