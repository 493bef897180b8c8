package terminal

import (
	"io"
	"os"
)

// A Style colours text, or leaves it as it is. The zero Style is plain.
type Style struct{ On bool }

// StyleFor is the style that suits a writer: colours on a terminal, unless the
// environment asks for none.
func StyleFor(w io.Writer, env func(string) string) Style {
	return Style{On: IsTerminal(w) && env("NO_COLOR") == "" && env("TERM") != "dumb"}
}

func (s Style) wrap(code, text string) string {
	if !s.On || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold, Dim, and the colours of good, middling and bad.
func (s Style) Bold(text string) string   { return s.wrap("1", text) }
func (s Style) Dim(text string) string    { return s.wrap("2", text) }
func (s Style) Green(text string) string  { return s.wrap("32", text) }
func (s Style) Yellow(text string) string { return s.wrap("33", text) }
func (s Style) Red(text string) string    { return s.wrap("31", text) }
func (s Style) Cyan(text string) string   { return s.wrap("36", text) }

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	columns, _ := size(f)
	return columns > 0
}

// Columns is the width of the terminal behind w, 80 if it is none.
func Columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _ := size(f); columns > 0 {
			return columns
		}
	}
	return 80
}

// Rows is the height of the terminal behind w, 24 if it is none.
func Rows(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if _, rows := size(f); rows > 0 {
			return rows
		}
	}
	return 24
}
