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
	Columns      int // of the terminal
	Head         string
	Product      string        // of the database: Postgres or MariaDB
	Took         time.Duration // of the traffic
	Transactions int64
	Changes      int64
	Copied       time.Duration // how long the snapshot took; 0 if this run made none
	Rates        []float64     // changes per second, over the run
	Memory       int64         // that the process holds, in bytes; 0 if it is not known
	Source       monitor.SourceStatus
	Results      []Result
	Views        []ViewResult
	Index        ViewResult // the search index; without a name there is none
	Own          Reads
}

// A fact is one line of the summary below its table.
type fact struct{ name, value string }

// String draws the summary in a box, or without one where a box is too wide.
func (s *Summary) String() string {
	var lines []string
	lines = append(lines, s.Style.Bold("evert demo")+"  "+s.Style.Dim(s.Head), "")
	lines = append(lines, s.table()...)
	lines = append(lines, "")
	if len(s.Views) > 0 {
		lines = append(append(lines, s.viewTable()...), "")
	}
	facts := s.facts()
	for _, f := range facts {
		lines = append(lines, fmt.Sprintf("%s  %s", s.Style.Dim(fmt.Sprintf("%-15s", f.name)), f.value))
	}
	if s.Columns == 0 || s.Columns > widest(lines)+4 {
		return s.box(lines)
	}
	return s.narrow(facts)
}

func widest(lines []string) (w int) {
	for _, l := range lines {
		w = max(w, terminal.Width(l))
	}
	return w
}

// narrow gives each fact lines of its own.
func (s *Summary) narrow(facts []fact) string {
	var b strings.Builder
	fit := func(text, indent string) { b.WriteString(terminal.Wrap(text, s.Columns-1, indent) + "\n") }
	fit(s.Style.Bold("evert demo"), "")
	fit(s.Head, "")
	b.WriteByte('\n')
	for _, r := range s.Results {
		fit(s.mark(&r)+" "+s.Style.Bold(r.Topic), "")
		fit(terminal.Count(r.Records)+" records, "+terminal.Count(r.Rows)+" rows", "  ")
	}
	for _, v := range s.Views {
		fit(s.markOf(v.Differ)+" view "+s.Style.Bold(v.Name), "")
		fit(terminal.Count(v.Rows)+" rows", "  ")
	}
	b.WriteByte('\n')
	for _, f := range facts {
		fit(s.Style.Dim(f.name), "")
		fit(f.value, "  ")
	}
	return b.String()
}

func (s *Summary) facts() []fact {
	out := []fact{{"captured", fmt.Sprintf("%s changes in %s transactions, in %s", s.Style.Bold(terminal.Count(s.Changes)),
		terminal.Count(s.Transactions), terminal.Duration(s.Took.Round(time.Second)))}}
	if len(s.Rates) > 1 {
		out = append(out, fact{"changes", s.Style.Cyan(terminal.Spark(s.Rates))})
	}
	if copied := s.copied(); s.Copied > 0 && copied > 0 {
		out = append(out, fact{"snapshot", fmt.Sprintf("%s rows in %s, %s", s.Style.Bold(terminal.Count(copied)), terminal.Duration(s.Copied),
			terminal.Rate(float64(copied)/s.Copied.Seconds()))})
	}
	out = append(out, fact{"commit → topic", Latency(s.Style, s.Source.Latency) + s.clock()})
	if s.Memory > 0 {
		out = append(out, fact{"memory", terminal.Bytes(s.Memory) + s.Style.Dim(", one process, the log inside it")})
	}
	if s.Own != (Reads{}) {
		out = append(out, fact{"own writes", s.Own.text(s.Style)})
	}
	out = append(out, fact{"exactly once", s.once()}, fact{"topics = tables", s.verdict()})
	if len(s.Views) > 0 {
		out = append(out, fact{"views = SQL", s.viewVerdict()})
	}
	if s.Index.Name != "" {
		out = append(out, fact{"search = view", s.indexVerdict()})
	}
	return out
}

// clock says how exactly the time of a commit is known.
func (s *Summary) clock() string {
	if s.Product == "MariaDB" {
		return s.Style.Dim(", by commit times in whole seconds")
	}
	return ""
}

func (s *Summary) copied() (n int64) {
	for _, r := range s.Results {
		n += r.Copied
	}
	return n
}

func (s *Summary) once() string {
	if n := s.Twice(); n > 0 {
		return s.Style.Red(fmt.Sprintf("✗ %s records twice", terminal.Count(n)))
	}
	records := int64(0)
	for _, r := range s.Results {
		records += r.Records
	}
	return s.Style.Green("✓ "+terminal.Count(records)+" records, none twice") + s.Style.Dim(", by their positions")
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

func (s *Summary) mark(r *Result) string { return s.markOf(r.Differ) }

func (s *Summary) markOf(differ int64) string {
	if differ > 0 {
		return s.Style.Red(fmt.Sprintf("✗ %s differ", terminal.Count(differ)))
	}
	return s.Style.Green("✓")
}

func (s *Summary) table() []string {
	t := terminal.Table{Header: []string{"TOPIC", ">RECORDS", ">ROWS IN " + strings.ToUpper(s.Product), ""}, Style: s.Style}
	for _, r := range s.Results {
		t.Add(s.Style.Bold(r.Topic), terminal.Count(r.Records), terminal.Count(r.Rows), s.mark(&r))
	}
	var b strings.Builder
	_ = t.Write(&b)
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// box draws a frame around lines.
func (s *Summary) box(lines []string) string {
	inner := width - 4
	if s.Columns > 0 {
		inner = min(inner, s.Columns-5)
	}
	inner = max(inner, widest(lines))
	dim := s.Style.Dim
	var b strings.Builder
	b.WriteString(dim("╭"+strings.Repeat("─", inner+2)+"╮") + "\n")
	for _, l := range lines {
		b.WriteString(dim("│") + " " + l + strings.Repeat(" ", inner-terminal.Width(l)) + " " + dim("│") + "\n")
	}
	b.WriteString(dim("╰"+strings.Repeat("─", inner+2)+"╯") + "\n")
	return b.String()
}
