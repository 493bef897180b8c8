package terminal

import "strings"

// Wrap breaks text into lines of at most so many columns, each after indent.
// Line ends in text stay.
func Wrap(text string, columns int, indent string) string {
	var out []string
	for _, paragraph := range strings.Split(text, "\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && Width(indent)+Width(line)+1+Width(word) > columns {
				out = append(out, indent+line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		out = append(out, strings.TrimRight(indent+line, " "))
	}
	return strings.Join(out, "\n")
}

// FirstSentence cuts text behind its first full stop.
func FirstSentence(text string) string {
	if i := strings.Index(text, ". "); i >= 0 {
		return text[:i+1]
	}
	return text
}
