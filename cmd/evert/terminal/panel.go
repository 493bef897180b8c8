package terminal

import (
	"fmt"
	"io"
	"strings"
)

// A Panel is the lower part of a terminal, drawn anew in place. One goroutine
// uses it. Lines longer than the terminal is wide are cut, so that a drawing
// always takes as many rows as it has lines.
type Panel struct {
	W     io.Writer
	lines int // of the present drawing
}

// Draw replaces the present drawing.
func (p *Panel) Draw(text string) error {
	columns := Columns(p.W)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var b strings.Builder
	if p.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.lines)
	}
	b.WriteString("\r\x1b[J")
	for _, l := range lines {
		b.WriteString(Cut(l, columns-1))
		b.WriteByte('\n')
	}
	p.lines = len(lines)
	_, err := io.WriteString(p.W, b.String())
	return err
}

// Keep leaves the present drawing where it is; the next Draw begins below it.
func (p *Panel) Keep() { p.lines = 0 }

// Clear removes the present drawing.
func (p *Panel) Clear() error {
	if p.lines == 0 {
		return nil
	}
	_, err := fmt.Fprintf(p.W, "\x1b[%dA\r\x1b[J", p.lines)
	p.lines = 0
	return err
}

// Bar draws a share of 1 as so many columns.
func Bar(share float64, columns int) string {
	share = min(max(share, 0), 1)
	eighths := int(share*float64(columns*8) + 0.5)
	full, rest := eighths/8, eighths%8
	bar := strings.Repeat("█", full)
	if rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
		full++
	}
	return bar + strings.Repeat("░", columns-full)
}

// Spark draws values as one column each, scaled to the largest.
func Spark(values []float64) string {
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	levels := []rune("▁▂▃▄▅▆▇█")
	out := make([]rune, len(values))
	for i, v := range values {
		out[i] = levels[0]
		if most > 0 {
			out[i] = levels[int(v/most*7+0.5)]
		}
	}
	return string(out)
}
