package terminal

import (
	"io"
	"strings"
	"unicode/utf8"
)

// A Table is rows of text under a header. The zero Table is empty. A header
// that begins with > puts its column to the right.
type Table struct {
	Header []string
	Rows   [][]string
	Indent string
	Style  Style // for the header; the zero Style is plain
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Write prints the table, columns two spaces apart, without trailing spaces.
// Cells may hold colours.
func (t *Table) Write(w io.Writer) error {
	widths, right := t.measure()
	var b strings.Builder
	if len(t.Header) > 0 {
		head := make([]string, len(t.Header))
		for i, h := range t.Header {
			head[i] = t.Style.Dim(strings.TrimPrefix(h, ">"))
		}
		line(&b, t.Indent, head, widths, right)
	}
	for _, r := range t.Rows {
		line(&b, t.Indent, r, widths, right)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) measure() (widths []int, right []bool) {
	for _, h := range t.Header {
		widths = append(widths, Width(strings.TrimPrefix(h, ">")))
		right = append(right, strings.HasPrefix(h, ">"))
	}
	for _, r := range t.Rows {
		for i, cell := range r {
			if i == len(widths) {
				widths, right = append(widths, 0), append(right, false)
			}
			widths[i] = max(widths[i], Width(cell))
		}
	}
	return widths, right
}

func line(b *strings.Builder, indent string, cells []string, widths []int, right []bool) {
	var l strings.Builder
	l.WriteString(indent)
	for i, cell := range cells {
		pad := strings.Repeat(" ", widths[i]-Width(cell))
		if i > 0 {
			l.WriteString("  ")
		}
		if right[i] {
			l.WriteString(pad + cell)
		} else {
			l.WriteString(cell + pad)
		}
	}
	b.WriteString(strings.TrimRight(l.String(), " "))
	b.WriteByte('\n')
}

// Width is the number of columns that s takes on a terminal: its runes without
// escape sequences.
func Width(s string) int {
	n := 0
	for {
		i := strings.IndexByte(s, 0x1b)
		if i < 0 {
			return n + utf8.RuneCountInString(s)
		}
		n += utf8.RuneCountInString(s[:i])
		end := strings.IndexByte(s[i:], 'm')
		if end < 0 {
			return n
		}
		s = s[i+end+1:]
	}
}

// Cut shortens s to so many columns, keeping escape sequences whole.
func Cut(s string, columns int) string {
	var b strings.Builder
	n, escape := 0, false
	for _, r := range s {
		switch {
		case r == 0x1b:
			escape = true
		case escape:
			escape = r != 'm'
		case n >= columns:
			continue
		default:
			n++
		}
		b.WriteRune(r)
	}
	return b.String()
}
