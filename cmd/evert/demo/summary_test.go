package demo

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

var update = flag.Bool("update", false, "write golden files anew")

func summary() Summary {
	return Summary{Product: "Postgres", Head: "Postgres 15.18 on port 24966 · embedded log · seed 1", Took: 8 * time.Second, Transactions: 638, Changes: 1584,
		Copied: 1300 * time.Millisecond, Rates: []float64{100, 200, 150, 230}, Memory: 64 << 20,
		Source: monitor.SourceStatus{Latency: monitor.LatencySummary{DeliveryP50: 0.000886, DeliveryP99: 0.003, Samples: 500}},
		Results: []Result{
			{Topic: "shop.public.customers", Records: 5179, Rows: 5030, Copied: 5000},
			{Topic: "shop.public.order_lines", Records: 40910, Rows: 40514, Copied: 40000},
		},
		Views: []ViewResult{{Name: "customer_orders", Rows: 5030}, {Name: "revenue", Rows: 5}},
		Index: ViewResult{Name: "customers_local", Rows: 5030},
		Own:   Reads{Good: 12, Median: 53800 * time.Microsecond}}
}

// What a reader sees, wide, narrow, and when something is wrong.
func TestSummary(t *testing.T) {
	wrong := summary()
	wrong.Results[0].Differ, wrong.Results[1].Twice = 3, 2
	wrong.Views[1].Differ, wrong.Own.Missed = 1, 2
	narrow := summary()
	narrow.Columns = 44
	wide := summary()
	wide.Columns = 120
	var b strings.Builder
	for _, c := range []struct {
		title string
		Summary
	}{{"wide", wide}, {"44 columns", narrow}, {"something is wrong", wrong}} {
		b.WriteString("-- " + c.title + " --\n" + c.String())
	}
	if *update {
		if err := os.WriteFile("testdata/summary.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/summary.txt")
	if err != nil || b.String() != string(want) {
		t.Errorf("the summary is not as in testdata (%v); see it, then run with -update:\n%s", err, &b)
	}
}

// Whatever is wrong is an error, and nothing else is.
func TestSummaryWrong(t *testing.T) {
	for what, spoil := range map[string]func(*Summary){
		"topics and the tables":      func(s *Summary) { s.Results[1].Differ = 1 },
		"topics twice":               func(s *Summary) { s.Results[0].Twice = 1 },
		"views and their SQL":        func(s *Summary) { s.Views[0].Differ = 1 },
		"the write that they waited": func(s *Summary) { s.Own.Missed = 1 },
	} {
		s := summary()
		if err := s.Wrong(); err != nil {
			t.Fatalf("nothing is wrong: %v", err)
		}
		spoil(&s)
		if err := s.Wrong(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Colours change nothing but colours, and no line is wider than the terminal.
func TestSummaryFits(t *testing.T) {
	for columns := 30; columns < 130; columns += 7 {
		s := summary()
		s.Columns = columns
		plain := s.String()
		s.Style = terminal.Style{On: true}
		for i, line := range strings.Split(s.String(), "\n") {
			if w := terminal.Width(line); w >= columns || w != terminal.Width(strings.Split(plain, "\n")[i]) {
				t.Fatalf("%d columns: a line of %d: %s", columns, w, line)
			}
		}
	}
}
