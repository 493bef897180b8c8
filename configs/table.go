package configs

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// A TablePattern names a table, or many: schema.table in the catalog's exact
// case. In a part without quotes * stands for any text, also none; a part that
// holds . * " or space is written in double quotes, a quote within doubled.
//
//	public.orders      public.*      *.audit_*      shop."Odd ""name"" 1.0"
//
// The same grammar holds wherever a table is named. TablePatterns can be
// compared with ==, and are map keys.
type TablePattern struct{ schema, table namePart }

// namePart is one part; wild says that * in it stands for any text.
type namePart struct {
	text string
	wild bool
}

// maxNamePart bounds a part, in bytes; catalogs allow 63 or 64 characters.
const maxNamePart = 256

// ParseTable reads a table name or pattern. The error says what is wrong
// without the text itself.
func ParseTable(text string) (TablePattern, error) {
	schema, rest, err := cutPart(text)
	if err != nil {
		return TablePattern{}, err
	}
	if !strings.HasPrefix(rest, ".") {
		return TablePattern{}, errors.New("it is not schema.table")
	}
	table, rest, err := cutPart(rest[1:])
	if err != nil {
		return TablePattern{}, err
	}
	if rest != "" {
		return TablePattern{}, errors.New("it has more than two parts; a part that holds a dot is double-quoted")
	}
	return TablePattern{schema, table}, nil
}

// cutPart reads one part, and gives what follows it.
func cutPart(text string) (namePart, string, error) {
	if strings.HasPrefix(text, `"`) {
		return cutQuoted(text[1:])
	}
	n := strings.IndexAny(text, `. "`+"\x00\t\r\n")
	if n < 0 {
		n = len(text)
	}
	part, rest := text[:n], text[n:]
	if rest != "" && rest[0] != '.' {
		return namePart{}, "", errors.New("it holds a space or quote outside double quotes")
	}
	return checkPart(namePart{part, strings.Contains(part, "*")}, rest)
}

// cutQuoted reads what follows an opening quote.
func cutQuoted(text string) (namePart, string, error) {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(text, `"`)
		b.WriteString(before)
		switch {
		case !ok:
			return namePart{}, "", errors.New("a double quote is not closed")
		case !strings.HasPrefix(after, `"`):
			return checkPart(namePart{text: b.String()}, after)
		}
		b.WriteByte('"')
		text = after[1:]
	}
}

func checkPart(p namePart, rest string) (namePart, string, error) {
	switch {
	case p.text == "":
		return p, "", errors.New("a part of it is empty")
	case len(p.text) > maxNamePart:
		return p, "", errors.New("a part of it is too long")
	case strings.ContainsRune(p.text, 0) || !utf8.ValidString(p.text):
		return p, "", errors.New("it holds a zero byte, or is not UTF-8")
	}
	return p, rest, nil
}

// TableName gives the pattern of exactly one table.
func TableName(schema, table string) TablePattern {
	return TablePattern{namePart{text: schema}, namePart{text: table}}
}

// Match reports whether the pattern names the table.
func (p TablePattern) Match(schema, table string) bool {
	return p.schema.match(schema) && p.table.match(table)
}

// Exact gives the one table that is named, or false for a pattern.
func (p TablePattern) Exact() (schema, table string, ok bool) {
	return p.schema.text, p.table.text, !p.schema.wild && !p.table.wild
}

// IsZero reports whether nothing is named.
func (p TablePattern) IsZero() bool { return p == TablePattern{} }

// String gives the pattern as it is written, with quotes only where needed.
func (p TablePattern) String() string {
	if p.IsZero() {
		return ""
	}
	return p.schema.String() + "." + p.table.String()
}

// MarshalText gives what String does.
func (p TablePattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (n namePart) String() string {
	if n.wild || !strings.ContainsAny(n.text, ".*\" \t\r\n") {
		return n.text
	}
	return `"` + strings.ReplaceAll(n.text, `"`, `""`) + `"`
}

// match compares in time proportional to the product of the lengths at worst: a
// mismatch goes back to the last * only.
func (n namePart) match(s string) bool {
	if !n.wild {
		return n.text == s
	}
	pat, i, j := n.text, 0, 0
	star, mark := -1, 0
	for j < len(s) {
		switch {
		case i < len(pat) && pat[i] == '*':
			star, mark = i, j
			i++
		case i < len(pat) && pat[i] == s[j]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pat[i:], "*") == ""
}

// exactness orders patterns: an exact part counts more than any literal text
// beside a *, and that more than the * alone.
func (p TablePattern) exactness() int {
	return p.schema.exactness() + p.table.exactness()
}

func (n namePart) exactness() int {
	if !n.wild {
		return 2 * maxNamePart
	}
	return len(strings.ReplaceAll(n.text, "*", ""))
}
