package show

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/demo"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

// What a demo shows while it runs, and what it says before and after.

// watch draws, or prints lines, until ctx ends.
func (s *show) watch(ctx context.Context, began time.Time) {
	screen := &demo.Screen{Style: s.Style(s.Out), Head: s.head, Began: began, Interval: 500 * time.Millisecond}
	panel := &terminal.Panel{W: s.Out}
	every := screen.Interval
	if !s.live {
		every = 2 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for before := int64(0); ; {
		frame := s.frame()
		screen.Rows = terminal.Rows(s.Out)
		if frame.Changes > 0 {
			s.rates = append(s.rates, float64(frame.Changes-before)/every.Seconds())
			before = frame.Changes
		}
		if s.live {
			_ = panel.Draw(screen.Next(frame))
		} else {
			fmt.Fprintln(s.Out, demo.Line(frame, began))
		}
		select {
		case <-ctx.Done():
			_ = panel.Clear()
			return
		case <-tick.C:
		}
	}
}

func (s *show) frame() demo.Frame {
	status := s.daemon.Status(s.Ctx)
	f := demo.Frame{Now: time.Now(), Source: status.Sources[0], Look: s.look(demo.Look{Views: status.Views})}
	f.Transactions, f.Changes = s.committed()
	return f
}

// suggest says what can be tried in another terminal meanwhile.
func (s *show) suggest() {
	st := s.Style(s.Out)
	enter := "cd " + s.dir
	if program, err := os.Executable(); err == nil && onPath("evert") != program {
		enter += " && alias evert=" + program
	}
	fmt.Fprintf(s.Out, "\n%s\n  %s\n", st.Bold("Try in another terminal:"), enter)
	s.list(append([][2]string{
		{"evert tail " + s.shop.Schema + ".orders", "changes, as they come"},
		{"evert tail " + s.shop.Schema + ".customers --until-end -o json", "a topic, decoded"},
		{"evert get customer_orders " + demo.OwnCustomer, "a row of a view, as it is now"},
		{`evert search customers_local "berlin history.status:new"`, "a full-text search in a view"},
		{"evert explain customer_orders", "how it is kept current"},
		{"evert verify customer_orders", "compared with the database, under traffic"},
		{"evert status", "how far everything is"},
	}, s.doors()...))
	stop := "Ctrl-C ends the demo"
	if s.span > 0 {
		stop = "It ends after " + terminal.Duration(s.span)
	}
	fmt.Fprintf(s.Out, "%s\n\n", st.Dim(stop+", compares every topic and every view with the database, and cleans up."))
}

// onPath finds a program as a shell does; empty if it does not.
func onPath(name string) string {
	path, _ := exec.LookPath(name)
	return path
}

// doors says what else can be asked, of what the daemon serves.
func (s *show) doors() (out [][2]string) {
	for _, l := range s.daemon.Listen {
		_, bare, found := strings.Cut(l.Address, "://")
		if !found {
			bare = l.Address
		}
		switch l.Name {
		case "http":
			out = append(out,
				[2]string{"curl " + bare + "/v1/views/revenue/rows", "all rows of a view, of one cut"},
				[2]string{"curl -N " + bare + "/v1/views/revenue/changes", "then every change, as it comes"},
				[2]string{"curl " + bare + "/metrics", "for Prometheus"})
		case "registry":
			out = append(out, [2]string{"curl " + bare + "/subjects", "the schemas, as a registry"})
		case "kafka":
			out = append(out, [2]string{"kcat -b " + bare + " -t shop." + s.shop.Schema + ".orders -C -e", "the topics, as a Kafka broker"})
		}
	}
	return out
}

// list prints commands and, where there is room, what each is for.
func (s *show) list(commands [][2]string) {
	st := s.Style(s.Out)
	t := terminal.Table{Indent: "  "}
	for _, c := range commands {
		if s.live && terminal.Columns(s.Out) < 90 {
			t.Add(st.Cyan(c[0]))
			continue
		}
		t.Add(st.Cyan(fmt.Sprintf("%-50s", c[0])), st.Dim(c[1]))
	}
	_ = t.Write(s.Out)
}

// sayGoodbye says what to do next; last of all, for one's own database.
func (s *show) sayGoodbye() {
	st := s.Style(s.Out)
	if s.keep != "" {
		fmt.Fprintf(s.Out, "\n%s cd %s\n", st.Bold("Kept, and goes on with the next demo:"), s.dir)
		s.list([][2]string{{"evert status", "without a daemon"}, {"evert get customer_orders " + demo.OwnCustomer, "as it was last"}, {"evert tail shop." + s.shop.Schema + ".orders --until-end", "the topics lie in data"}})
	}
	fmt.Fprintf(s.Out, "\n%s\n", st.Bold("Now your own database:"))
	s.list([][2]string{
		{"evert init " + strings.ReplaceAll(s.source, "mariadb", "mysql") + "://user:password@host/name", "looks at it, and writes evert.yaml"},
		{"evert check --connect", "what the server still needs, as SQL"},
		{"evert run", "copies the tables, follows every change"},
	})
	fmt.Fprintln(s.Out)
}

// tell says what happens before there is something to draw.
func (s *show) tell(format string, args ...any) {
	fmt.Fprintln(s.Out, s.Style(s.Out).Dim(fmt.Sprintf(format, args...)+" …"))
}
