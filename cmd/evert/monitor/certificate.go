package monitor

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Certificate is one that secures a connection, ours or the other side's.
type Certificate struct {
	Edge string // which connections: kafka
	Of   string // client, or host:port
	End  time.Time
}

// What is said of a certificate before it ends: from when on, and how often.
const (
	certificateNotice = 14 * 24 * time.Hour
	certificateRepeat = 24 * time.Hour
)

// Certificates remember when certificates end, and warn before they do (K28).
// Methods may be called from any goroutine; those of nil do nothing. One place
// shows one certificate: a newer one replaces what is known.
type Certificates struct {
	Warn func(c Certificate, left time.Duration) // may be nil; called without a lock

	mu  sync.Mutex
	all map[place]*watched
}

type place struct{ edge, of string }

type watched struct {
	end    time.Time
	warned time.Time
}

// Saw takes note of a certificate, and warns at once if it is time to.
func (c *Certificates) Saw(seen Certificate, now time.Time) {
	if c == nil {
		return
	}
	at := place{seen.Edge, seen.Of}
	c.mu.Lock()
	if c.all == nil {
		c.all = map[place]*watched{}
	}
	if w := c.all[at]; w == nil || !w.end.Equal(seen.End) {
		c.all[at] = &watched{end: seen.End}
	}
	c.mu.Unlock()
	c.Remind(now)
}

// Remind warns of the certificates that end soon and were not warned of for a
// day.
func (c *Certificates) Remind(now time.Time) {
	if c == nil || c.Warn == nil {
		return
	}
	for _, due := range c.due(now) {
		c.Warn(due, due.End.Sub(now))
	}
}

func (c *Certificates) due(now time.Time) (due []Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, w := range c.all {
		if w.end.Sub(now) < certificateNotice && now.Sub(w.warned) >= certificateRepeat {
			w.warned = now
			due = append(due, Certificate{Edge: at.edge, Of: at.of, End: w.end})
		}
	}
	return due
}

func certificateDesc() *prometheus.Desc {
	return prometheus.NewDesc("evert_certificate_end_timestamp_seconds",
		"When a certificate of an edge ends, in seconds of Unix time: the client's own, or that of a server by its address. Alert 14 days before.", []string{"edge", "of"}, nil)
}

func (c *Certificates) collect(ch chan<- prometheus.Metric) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, w := range c.all {
		ch <- prometheus.MustNewConstMetric(certificateDesc(), prometheus.GaugeValue, float64(w.end.Unix()), at.edge, at.of)
	}
}
