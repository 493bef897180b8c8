package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
)

// logger writes what the file asks for to standard error. On a terminal it
// shares the screen with the progress of snapshots.
func (a *app) logger(c configs.Logging) *slog.Logger {
	if a.screen == nil {
		a.screen = &screen{w: a.Err, panel: terminal.Panel{W: a.Err}, live: terminal.IsTerminal(a.Err)}
	}
	var level slog.Level
	if level.UnmarshalText([]byte(c.Level)) != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" || c.Format == "auto" && a.screen.live {
		return slog.New(slog.NewTextHandler(a.screen, options))
	}
	return slog.New(slog.NewJSONHandler(a.screen, options))
}

// screen is standard error: lines of the log, and on a terminal below them a
// drawing that stays at the bottom. Its methods may be called from any
// goroutine.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	panel terminal.Panel
	text  string
	live  bool // a terminal
}

// Write writes lines above the drawing.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text == "" {
		return s.w.Write(p)
	}
	_ = s.panel.Clear()
	n, err := s.w.Write(p)
	_ = s.panel.Draw(s.text)
	return n, err
}

// draw replaces the drawing; nothing removes it.
func (s *screen) draw(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
	if text == "" {
		_ = s.panel.Clear()
		return
	}
	_ = s.panel.Draw(text)
}

// showProgress shows the snapshots of a daemon until the function it gives is
// called: drawn on a terminal, as lines of the log elsewhere.
func (a *app) showProgress(d *daemon) (stop func()) {
	every := 10 * time.Second
	if a.screen.live {
		every = 250 * time.Millisecond
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				a.progress(d)
			}
		}
	}()
	return func() {
		close(quit)
		<-done
		if a.screen.live {
			a.screen.draw("")
		}
	}
}

func (a *app) progress(d *daemon) {
	var lines []string
	for _, m := range d.monitors {
		st := m.Status()
		if st.Snapshot == nil {
			continue
		}
		if !a.screen.live {
			logProgress(d.log, &st)
			continue
		}
		lines = append(lines, drawProgress(a.Style(a.Err), &st))
	}
	if a.screen.live {
		a.screen.draw(strings.Join(lines, "\n"))
	}
}

func logProgress(log *slog.Logger, st *monitor.SourceStatus) {
	p := st.Snapshot
	left := "unknown"
	if p.LeftSeconds != nil {
		left = terminal.Duration(time.Duration(*p.LeftSeconds * float64(time.Second)))
	}
	log.Info("copying", "source", st.Name, "rows", p.Rows, "rows_estimated", p.RowsTotal,
		"tables_done", p.TablesDone, "tables", p.TablesTotal, "time_left", left)
}

func drawProgress(s terminal.Style, st *monitor.SourceStatus) string {
	p := st.Snapshot
	left := ""
	if p.LeftSeconds != nil {
		left = terminal.Duration(time.Duration(*p.LeftSeconds*float64(time.Second))) + " left"
	}
	return fmt.Sprintf("%s  %s %3.0f%%  %s of about %s rows  %d/%d tables  %s", s.Bold(st.Name), s.Cyan(terminal.Bar(p.Share(), 30)), 100*p.Share(),
		terminal.Count(p.Rows), terminal.Count(p.RowsTotal), p.TablesDone, p.TablesTotal, s.Dim(left))
}
