package configs

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// page is the text of a file, and which of it may be printed. Everything is
// masked that was not expressly shown: structure, keys that are known, values of
// fields that are no secrets. So a secret under a misspelt key, in a file that
// does not parse or in a comment stays masked (X14).
//
//	4 |   postgres: {url: ***, tables: [***]}
type page struct {
	lines []string
	shown map[place]int // from here so many characters
	ends  map[int]int   // where a line's comment begins
}

const mask = "***"

// maxLine is the longest line, in bytes, of which anything is printed.
const maxLine = 2000

func newPage(data []byte) *page {
	lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data)), "\n") // as YAML breaks lines
	return &page{lines: lines, shown: map[place]int{}, ends: map[int]int{}}
}

// show lets text be printed if it stands at the place, with or without quotes.
// The check guards against places that the library gets wrong.
func (p *page) show(at place, text string) {
	if at.line < 1 || at.line > len(p.lines) || at.column < 1 || text == "" || len(p.lines[at.line-1]) > maxLine {
		return
	}
	line := []rune(p.lines[at.line-1])
	if at.column > len(line) {
		return
	}
	rest := string(line[at.column-1:])
	for _, written := range []string{text, `"` + text + `"`, `'` + text + `'`} {
		if strings.HasPrefix(rest, written) {
			p.shown[at] = len([]rune(written))
			return
		}
	}
}

// structure shows brackets, colons, commas and dashes.
func (p *page) structure(tokens token.Tokens) {
	for _, tk := range tokens {
		switch tk.Type {
		case token.SequenceEntryType, token.MappingValueType, token.CollectEntryType, token.SequenceStartType,
			token.SequenceEndType, token.MappingStartType, token.MappingEndType, token.LiteralType, token.FoldedType:
			p.show(placeOf(tk), tk.Value)
		case token.CommentType:
			p.endAt(placeOf(tk))
		}
	}
}

// endAt leaves a comment out.
func (p *page) endAt(at place) {
	if at.line < 1 || at.line > len(p.lines) || at.column < 1 || len(p.lines[at.line-1]) > maxLine {
		return
	}
	line := []rune(p.lines[at.line-1])
	if at.column <= len(line) && line[at.column-1] == '#' {
		p.ends[at.line] = at.column
	}
}

// knownKeys shows the keys of a file that did not parse: words that are keys of
// the grammar and stand before a colon, up to the first that names a secret.
func (p *page) knownKeys(tokens token.Tokens) {
	known := keyWords()
	secretLine := 0
	for i, tk := range tokens {
		if i+1 >= len(tokens) || tokens[i+1].Type != token.MappingValueType || tk.Position.Line == secretLine {
			continue
		}
		if known[tk.Value] {
			p.show(placeOf(tk), tk.Value)
		}
		if secretWord(tk.Value) || !known[tk.Value] {
			secretLine = tk.Position.Line
		}
	}
}

// secretWord reports whether values below a key may be secrets, whatever their
// type.
func secretWord(key string) bool {
	key = strings.ToLower(key)
	for _, part := range []string{"pass", "pwd", "token", "key", "url", "secret", "credential", "dsn", "jaas"} {
		if strings.Contains(key, part) {
			return true
		}
	}
	return false
}

// clamp moves a place into the text.
func (p *page) clamp(at place) place {
	at.line = min(max(at.line, 1), max(len(p.lines), 1))
	at.column = max(at.column, 1)
	return at
}

// hasReferenceInFlow reports whether a line holds ${ behind a bracket, outside
// quotes.
func (p *page) hasReferenceInFlow(line int) bool {
	if line < 1 || line > len(p.lines) {
		return false
	}
	depth, quote := 0, rune(0)
	text := p.lines[line-1]
	for i, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case strings.HasPrefix(text[i:], "${") && depth > 0:
			return true
		case r == '{' || r == '[':
			depth++
		}
	}
	return false
}

// excerpt prints a line and a caret below the place.
func (p *page) excerpt(at place) string {
	if at.line < 1 || at.line > len(p.lines) || len(p.lines[at.line-1]) > maxLine {
		return ""
	}
	text, column := p.masked(at.line, at.column)
	if strings.TrimSpace(text) == "" {
		return ""
	}
	number := strconv.Itoa(at.line)
	pad := strings.Repeat(" ", len(number))
	return "  " + number + " | " + text + "\n  " + pad + " | " + strings.Repeat(" ", column-1) + "^"
}

// maxExcerpt bounds an excerpt, in characters.
const maxExcerpt = 160

// masked gives the line with everything masked that was not shown, and where the
// column went.
func (p *page) masked(line, column int) (string, int) {
	runes := p.printable(line)
	var out []rune
	at := 0 // where column went, from 1
	note := func(i int) {
		if at == 0 && i+1 >= column {
			at = len(out) + 1
		}
	}
	hidden := false
	for i := 0; i < len(runes); {
		if n := p.shown[place{line, i + 1}]; n > 0 {
			hidden = false
			for ; n > 0; n-- {
				note(i)
				out = append(out, runes[i])
				i++
			}
			continue
		}
		blank := runes[i] == ' ' || runes[i] == '\t'
		switch {
		case blank && !hidden, blank && p.visibleAfter(line, i):
			note(i)
			out = append(out, ' ')
			hidden = false
		case !hidden:
			note(i)
			out = append(out, []rune(mask)...)
			hidden = true
		case i+1 == column:
			at = len(out)
		}
		i++
	}
	note(max(column-1, len(runes)))
	if len(out) > maxExcerpt {
		out = append(out[:maxExcerpt], '…')
	}
	return string(out), min(at, maxExcerpt+1)
}

// printable is a line without its comment.
func (p *page) printable(line int) []rune {
	text := p.lines[line-1]
	if end := p.ends[line]; end > 0 {
		text = strings.TrimRight(string([]rune(text)[:end-1]), " \t")
	}
	return []rune(text)
}

// visibleAfter reports whether only blanks lie between i and something shown.
func (p *page) visibleAfter(line, i int) bool {
	runes := p.printable(line)
	for ; i < len(runes); i++ {
		if p.shown[place{line, i + 1}] > 0 {
			return true
		}
		if runes[i] != ' ' && runes[i] != '\t' {
			return false
		}
	}
	return false
}
