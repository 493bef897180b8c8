package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

// views draws the views, the rows of one of them if there is room, and how own
// writes are read. A drawing that is higher than the terminal could not be drawn anew.
func (s *Screen) views(b *strings.Builder, l *Look) {
	if len(l.Views) == 0 {
		return
	}
	t := terminal.Table{Header: []string{fmt.Sprintf("%-24s", "VIEW"), ">EPOCH", ">ROWS CHANGED", ">BEHIND", "STATE"}, Style: s.Style, Indent: "  "}
	for i := range l.Views {
		v := &l.Views[i]
		t.Add(s.Style.Bold(v.Name), terminal.Count(int64(v.Epoch)), terminal.Count(int64(v.Totals.RowsOut)), viewBehind(v), s.viewState(v))
	}
	b.WriteByte('\n')
	_ = t.Write(b)
	for i := range l.Views {
		if p := l.Views[i].Problem; p != nil {
			fmt.Fprintf(b, "  %s\n", s.Style.Red(p.Text))
		}
	}
	if above := strings.Count(b.String(), "\n"); s.Rows == 0 || above+len(l.Revenue)+2 <= s.Rows {
		s.revenue(b, l.Revenue)
	}
	fmt.Fprintf(b, "  %s  %s\n", s.Style.Dim(fmt.Sprintf("%-16s", "own writes")), l.Own.text(s.Style))
}

// revenue draws the rows of the view of that name, as they are.
func (s *Screen) revenue(b *strings.Builder, rows []Taking) {
	most := 1.0
	for _, r := range rows {
		most = max(most, r.Revenue)
	}
	t := terminal.Table{Indent: "  "}
	name := "revenue"
	for _, r := range rows {
		t.Add(s.Style.Dim(fmt.Sprintf("%-16s", name)), fmt.Sprintf("%-10s", r.Status), fmt.Sprintf("%7s orders", terminal.Count(r.Orders)),
			fmt.Sprintf("%10s", terminal.Count(int64(r.Revenue))), s.Style.Cyan(terminal.Bar(r.Revenue/most, 14)))
		name = ""
	}
	_ = t.Write(b)
}

func viewBehind(v *monitor.ViewStatus) string {
	if v.BehindTransactions == 0 {
		return "nothing"
	}
	return terminal.Duration(time.Duration(v.LagSeconds * float64(time.Second)))
}

func (s *Screen) viewState(v *monitor.ViewStatus) string {
	switch {
	case v.Hydration != nil:
		return s.Style.Yellow(fmt.Sprintf("◌ filling %.0f%%", 100*v.Hydration.Ratio))
	case v.State == monitor.Streaming && v.Ready:
		return s.Style.Green("● current")
	}
	return s.Style.Yellow("◌ " + string(v.State))
}

// viewsLine is the views in a few words, where there is no terminal.
func viewsLine(l *Look) string {
	if len(l.Views) == 0 {
		return ""
	}
	changed, current := uint64(0), 0
	for i := range l.Views {
		changed += l.Views[i].Totals.RowsOut
		if l.Views[i].State == monitor.Streaming && l.Views[i].Ready {
			current++
		}
	}
	own := l.Own.text(terminal.Style{})
	return fmt.Sprintf("  %d of %d views current, %s rows of them changed  own writes %s", current, len(l.Views), terminal.Count(int64(changed)), own)
}
