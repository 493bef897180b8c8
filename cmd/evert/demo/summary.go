package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

// A Summary is what the demo shows at its end.
type Summary struct {
	Style        terminal.Style
	Head         string
	Took         time.Duration // of the traffic
	Transactions int64
	Changes      int64
	Source       monitor.SourceStatus
	Results      []Result
}

// Differ counts the rows in which topics and tables differ.
func (s *Summary) Differ() (n int64) {
	for _, r := range s.Results {
		n += r.Differ
	}
	return n
}

// String draws the summary in a box.
func (s *Summary) String() string {
	st := s.Style
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	add("%s  %s", st.Bold("evert demo"), st.Dim(s.Head))
	add("")
	lines = append(lines, s.table()...)
	add("")
	add("%s  %s changes in %s transactions, in %s", st.Dim("captured       "), st.Bold(terminal.Count(s.Changes)), terminal.Count(s.Transactions), terminal.Duration(s.Took.Round(time.Second)))
	add("%s  %s", st.Dim("commit → topic "), Latency(st, s.Source.Latency))
	add("%s  %s", st.Dim("topics = tables"), s.verdict())
	return s.box(lines)
}

func (s *Summary) verdict() string {
	if n := s.Differ(); n > 0 {
		return s.Style.Red(fmt.Sprintf("✗ %s rows differ", terminal.Count(n)))
	}
	rows := int64(0)
	for _, r := range s.Results {
		rows += r.Rows
	}
	return s.Style.Green("✓ all "+terminal.Count(rows)+" rows equal") + s.Style.Dim(", every topic folded by key")
}

func (s *Summary) table() []string {
	t := terminal.Table{Header: []string{"TOPIC", ">RECORDS", ">ROWS IN POSTGRES", ""}, Style: s.Style}
	for _, r := range s.Results {
		mark := s.Style.Green("✓")
		if r.Differ > 0 {
			mark = s.Style.Red(fmt.Sprintf("✗ %s differ", terminal.Count(r.Differ)))
		}
		t.Add(s.Style.Bold(r.Topic), terminal.Count(r.Records), terminal.Count(r.Rows), mark)
	}
	var b strings.Builder
	_ = t.Write(&b)
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// box draws a frame around lines.
func (s *Summary) box(lines []string) string {
	inner := width - 4
	for _, l := range lines {
		inner = max(inner, terminal.Width(l))
	}
	dim := s.Style.Dim
	var b strings.Builder
	b.WriteString(dim("╭"+strings.Repeat("─", inner+2)+"╮") + "\n")
	for _, l := range lines {
		b.WriteString(dim("│") + " " + l + strings.Repeat(" ", inner-terminal.Width(l)) + " " + dim("│") + "\n")
	}
	b.WriteString(dim("╰"+strings.Repeat("─", inner+2)+"╯") + "\n")
	return b.String()
}
