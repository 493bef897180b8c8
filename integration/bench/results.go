//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// results are what one run measured.
type results struct {
	At       time.Time `json:"at"`
	Commit   string    `json:"commit"`
	CPU      string    `json:"cpu"`
	Cores    int       `json:"cores"`
	Go       string    `json:"go"`
	Postgres string    `json:"postgres"`
	Short    bool      `json:"short"`
	Figures  []figure  `json:"figures"`
	Micro    []micro   `json:"micro"`
}

// A figure is one measured number. Gate is the bound it has to keep, Above says
// on which side; no gate is 0.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Gate  float64 `json:"gate,omitempty"`
	Above bool    `json:"above,omitempty"`
	Good  bool    `json:"good"`
	Note  string  `json:"note,omitempty"`
}

// micro is one line of `go test -bench`.
type micro struct {
	Package string  `json:"package"`
	Name    string  `json:"name"`
	NsOp    float64 `json:"ns_op"`
	MBs     float64 `json:"mb_s,omitempty"`
	BytesOp int64   `json:"bytes_op"`
	Allocs  int64   `json:"allocs_op"`
}

func newResults(ctx context.Context, l *lab) *results {
	return &results{At: time.Now().UTC(), Commit: commit(ctx), CPU: cpu(), Cores: runtime.NumCPU(),
		Go: runtime.Version(), Postgres: l.postgres.Binaries().Version, Short: l.short}
}

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func cpu() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func (r *results) add(name string, value float64, unit, note string) {
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: unit, Good: true, Note: note})
}

// atLeast and below add a figure that has a gate.
func (r *results) atLeast(gate float64, name string, value float64, unit, note string) {
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: unit, Gate: gate, Above: true, Good: value >= gate, Note: note})
}

func (r *results) below(gate float64, name string, value float64, unit, note string) {
	r.Figures = append(r.Figures, figure{Name: name, Value: value, Unit: unit, Gate: gate, Good: value < gate, Note: note})
}

func (r *results) missed() bool {
	for _, f := range r.Figures {
		if !f.Good {
			return true
		}
	}
	return false
}

func (r *results) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %d cores, %s, Postgres %s, %s\n\n", r.CPU, r.Cores, r.Go, r.Postgres, r.Commit)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, f := range r.Figures {
		fmt.Fprintf(w, "%s\t%s %s\t%s\t%s\n", f.Name, number(f.Value), f.Unit, f.verdict(), f.Note)
	}
	_ = w.Flush()
	if len(r.Micro) > 0 {
		fmt.Fprintln(out)
	}
	for _, m := range r.Micro {
		fmt.Fprintf(w, "%s\t%s ns/op\t%s MB/s\t%d B/op\t%d allocs/op\n", m.Package+" "+m.Name, number(m.NsOp), number(m.MBs), m.BytesOp, m.Allocs)
	}
	_ = w.Flush()
	for _, f := range r.Figures {
		if !f.Good {
			fmt.Fprintf(out, "\nGATE MISSED: %s is %s %s, %s\n", f.Name, number(f.Value), f.Unit, f.verdict())
		}
	}
}

func (f figure) verdict() string {
	if f.Gate == 0 {
		return ""
	}
	word, side := "ok", "below"
	if !f.Good {
		word = "MISSED"
	}
	if f.Above {
		side = "at least"
	}
	return fmt.Sprintf("%s (%s %s)", word, side, number(f.Gate))
}

func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 1000:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func (r *results) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
