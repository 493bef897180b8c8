package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

// A Screen shows the demo while it runs. One goroutine uses it.
type Screen struct {
	Style    terminal.Style
	Head     string // what runs where
	Began    time.Time
	Rows     int           // of the terminal; 0 is without end
	Interval time.Duration // between two calls of Next

	before  map[string]uint64
	changes int64
	rates   []float64 // of the newest calls
}

// A Frame is what the screen shows at one moment.
type Frame struct {
	Now          time.Time
	Source       monitor.SourceStatus
	Transactions int64 // of the traffic
	Changes      int64
	Look
}

// width is that of the drawing.
const width = 78

// Next gives the next drawing.
func (s *Screen) Next(f Frame) string {
	var b strings.Builder
	st := s.Style
	fmt.Fprintf(&b, "%s\n", s.line(st.Bold("evert demo")+"  "+st.Dim(s.Head), st.Dim(clock(f.Now.Sub(s.Began)))))
	b.WriteString(st.Dim(strings.Repeat("─", width)) + "\n")
	s.topics(&b, f)
	b.WriteByte('\n')
	if f.Source.Snapshot != nil {
		s.copying(&b, f.Source.Snapshot)
	} else {
		s.streaming(&b, f)
	}
	s.views(&b, &f.Look)
	if p := f.Source.Problem; p != nil {
		fmt.Fprintf(&b, "  %s\n", st.Red(p.Text))
	}
	return b.String()
}

// line puts left and right at the ends of a line.
func (s *Screen) line(left, right string) string {
	return left + strings.Repeat(" ", max(1, width-terminal.Width(left)-terminal.Width(right))) + right
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func (s *Screen) topics(b *strings.Builder, f Frame) {
	t := terminal.Table{Header: []string{"TOPIC", ">RECORDS", ">RATE", "", "STATE"}, Style: s.Style, Indent: "  "}
	was := s.before
	s.before = map[string]uint64{}
	most := 1.0
	rate := func(table string, rows uint64) float64 {
		if _, ok := was[table]; !ok || s.Interval == 0 {
			return 0
		}
		return float64(rows-was[table]) / s.Interval.Seconds()
	}
	for _, table := range f.Source.Tables {
		most = max(most, rate(table.Table, table.Rows))
	}
	for _, table := range f.Source.Tables {
		s.before[table.Table] = table.Rows
		r := rate(table.Table, table.Rows)
		t.Add(s.Style.Bold(fmt.Sprintf("%-24s", table.Topic)), terminal.Count(int64(table.Rows)), fmt.Sprintf("%10s", terminal.Rate(r)),
			s.Style.Cyan(terminal.Bar(r/most, 14)), state(s.Style, table.State))
	}
	_ = t.Write(b)
}

func state(s terminal.Style, word string) string {
	if word == "ok" {
		return s.Green("● current")
	}
	return s.Yellow("◌ " + word)
}

func (s *Screen) copying(b *strings.Builder, p *monitor.CopyProgress) {
	left := ""
	if p.LeftSeconds != nil {
		left = terminal.Duration(time.Duration(*p.LeftSeconds*float64(time.Second))) + " left"
	}
	fmt.Fprintf(b, "  copying  %s %3.0f%%  %s rows  %s\n", s.Style.Cyan(terminal.Bar(p.Share(), 30)), 100*p.Share(), terminal.Count(p.Rows), s.Style.Dim(left))
}

func (s *Screen) streaming(b *strings.Builder, f Frame) {
	if s.Interval > 0 && s.changes > 0 {
		s.rates = append(s.rates, float64(f.Changes-s.changes)/s.Interval.Seconds())
		s.rates = s.rates[max(0, len(s.rates)-40):]
	}
	s.changes = f.Changes
	now := 0.0
	if n := len(s.rates); n > 0 {
		now = s.rates[n-1]
	}
	row := func(name, value string) { fmt.Fprintf(b, "  %s  %s\n", s.Style.Dim(fmt.Sprintf("%-16s", name)), value) }
	row("changes", fmt.Sprintf("%s  %s", s.Style.Cyan(terminal.Spark(s.rates)), terminal.Rate(now)))
	row("transactions", fmt.Sprintf("%s in the shop, %s streamed since the snapshot", terminal.Count(f.Transactions), terminal.Count(int64(f.Source.Totals.Transactions))))
	row("commit → topic", Latency(s.Style, f.Source.Latency))
	row("behind", behind(&f.Source))
}

// Latency says how long commits take to reach their topics.
func Latency(s terminal.Style, l monitor.LatencySummary) string {
	if l.Samples == 0 {
		return s.Dim("waiting for the first commit")
	}
	second := func(v float64) string { return terminal.Duration(time.Duration(v * float64(time.Second))) }
	return fmt.Sprintf("%s median, %s p99", s.Bold(second(l.DeliveryP50)), second(l.DeliveryP99))
}

func behind(src *monitor.SourceStatus) string {
	var parts []string
	if src.Server != nil && !src.Server.At.IsZero() {
		parts = append(parts, terminal.Bytes(src.Server.LagBytes)+" of log")
	}
	if src.LagSeconds != nil {
		parts = append(parts, terminal.Duration(time.Duration(*src.LagSeconds*float64(time.Second))))
	}
	return strings.Join(parts, ", ")
}

// Line is a frame in one line, where there is no terminal.
func Line(f Frame, began time.Time) string {
	rows := int64(0)
	for _, t := range f.Source.Tables {
		rows += int64(t.Rows)
	}
	return fmt.Sprintf("%s  %s  %s records in %d topics  %s transactions captured of %s  %s", clock(f.Now.Sub(began)), f.Source.State,
		terminal.Count(rows), len(f.Source.Tables), terminal.Count(int64(f.Source.Totals.Transactions)), terminal.Count(f.Transactions),
		Latency(terminal.Style{}, f.Source.Latency)) + viewsLine(&f.Look)
}
