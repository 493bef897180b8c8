package monitor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evertdb/evert/cmd/evert/monitor"
)

// K28: what ends within 14 days is warned of once a day, until a newer
// certificate takes its place; the metric says when each ends.
func TestCertificates(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Unix(1_800_000_000, 0)
	var said []string
	c := &monitor.Certificates{Warn: func(c monitor.Certificate, left time.Duration) {
		said = append(said, fmt.Sprintf("%s %s %d days", c.Edge, c.Of, left/day))
	}}
	saw := func(of string, days int) {
		c.Saw(monitor.Certificate{Edge: "kafka", Of: of, End: now.Add(time.Duration(days) * day)}, now)
	}
	expect := func(step, want string) {
		t.Helper()
		if got := strings.Join(said, ", "); got != want {
			t.Errorf("%s: said %q, want %q", step, got, want)
		}
		said = nil
	}
	saw("b:9093", 300)
	saw("client", 15)
	expect("far ends", "")
	saw("client", 13)
	saw("client", 13)
	expect("a near one", "kafka client 13 days")
	now = now.Add(day)
	c.Remind(now)
	c.Remind(now)
	expect("a day later", "kafka client 12 days")
	saw("client", 90)
	now = now.Add(day)
	c.Remind(now)
	expect("renewed", "")

	r := prometheus.NewRegistry()
	r.MustRegister(&monitor.Collector{Certificates: c})
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range families {
		if f.GetName() == "evert_certificate_end_timestamp_seconds" {
			found = len(f.GetMetric())
		}
	}
	if found != 2 {
		t.Errorf("%d certificates in the metrics, want 2", found)
	}
	(*monitor.Certificates)(nil).Saw(monitor.Certificate{}, now)
}
