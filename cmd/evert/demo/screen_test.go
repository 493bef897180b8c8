package demo

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

// frame is a moment of a demo that runs well.
func frame() Frame {
	lag := 0.0123
	return Frame{Now: time.Unix(65, 0), Transactions: 425, Changes: 1100,
		Source: monitor.SourceStatus{State: monitor.Streaming, LagSeconds: &lag, Latency: monitor.LatencySummary{DeliveryP50: 0.0038, DeliveryP99: 0.0218, Samples: 400},
			Tables: []monitor.TableStatus{{Table: "public.orders", Topic: "shop.public.orders", State: "ok", Rows: 20439}}},
		Look: Look{
			Views: []monitor.ViewStatus{
				{Name: "customer_orders", State: monitor.Streaming, Ready: true, Epoch: 91, Totals: monitor.ViewTotals{RowsOut: 5268}, BehindTransactions: 1, LagSeconds: 0.0451},
				{Name: "revenue", State: monitor.Streaming, Ready: true, Epoch: 92, Totals: monitor.ViewTotals{RowsOut: 200}},
			},
			Revenue: []Taking{{"delivered", 5010, 832338.12}, {"new", 69, 84148}, {"packed", 5012, 1487163.5}},
			Own:     Reads{Commits: 11, Good: 11, Median: 38100 * time.Microsecond},
		}}
}

// What somebody who watches sees: well, in a terminal that is too low for all of it,
// while views fill, and when something is wrong.
func TestScreen(t *testing.T) {
	filling, wrong := frame(), frame()
	filling.Views[0] = monitor.ViewStatus{Name: "customer_orders", State: monitor.Hydrating, Hydration: &monitor.Hydration{Ratio: 0.42}}
	filling.Revenue, filling.Own = nil, Reads{Commits: 1}
	wrong.Views[0].State, wrong.Views[0].Problem = monitor.Refused, &monitor.Problem{Text: "two rows share a key"}
	wrong.Own.Missed, wrong.Own.Late = 2, 1
	late := frame()
	late.Own.Late = 1
	var b strings.Builder
	for _, c := range []struct {
		title string
		rows  int
		Frame
	}{{"well", 0, frame()}, {"15 rows", 15, frame()}, {"filling", 0, filling}, {"something is wrong", 0, wrong}, {"late", 0, late}} {
		s := Screen{Head: "Postgres 15.18 on port 15555", Began: time.Unix(0, 0), Interval: time.Second, Rows: c.rows}
		b.WriteString("-- " + c.title + " --\n" + s.Next(c.Frame) + Line(c.Frame, s.Began) + "\n")
	}
	if *update {
		if err := os.WriteFile("testdata/screen.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/screen.txt")
	if err != nil || b.String() != string(want) {
		t.Errorf("the screen is not as in testdata (%v); see it, then run with -update:\n%s", err, &b)
	}
}

// A miss is red, and a drawing fits the terminal's height from where it can.
func TestScreenRows(t *testing.T) {
	f := frame()
	f.Own.Missed = 1
	if s := (&Screen{Style: terminal.Style{On: true}}); !strings.Contains(s.Next(f), terminal.Style{On: true}.Red("✗ 1 of 12 reads missed their write")) {
		t.Error("a miss is not red")
	}
	for rows := 15; rows < 30; rows++ {
		s := &Screen{Rows: rows}
		if n := strings.Count(s.Next(f), "\n") + 1; n > rows {
			t.Errorf("a drawing of %d rows in %d", n, rows)
		}
	}
}
