package configs

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/token"
)

// scalar decodes a single value: references, then what the type needs.
func (d *decoder) scalar(n *node, v reflect.Value, s spot) {
	if !d.want(n, scalarNode, s, "write "+exampleOf(v.Type(), s.last())) {
		return
	}
	parts, err := parsePieces(n.text)
	if err != nil {
		d.add(n.at, badReference, quoteName(s.name())+": "+err.Error(), "write ${VAR}, ${VAR:-default} or ${file:/path}; $${ stands for ${")
		return
	}
	settled, err := settle(parts, d.env)
	if err != nil {
		d.missingVariable(err, n, s)
		return
	}
	text, err := join(settled)
	if err != nil {
		d.add(n.at, secretFile, quoteName(s.name())+": "+err.Error(), "make the file readable for the user that runs evert")
		return
	}
	literal := len(parts) == 0 || len(parts) == 1 && parts[0].kind == pieceText
	if text == "" {
		d.add(n.at, emptyValue, quoteName(s.name())+" is empty", "give it a value, or leave the key out")
		return
	}
	if v.Type() == reflect.TypeFor[Secret]() {
		v.Set(reflect.ValueOf(hold(settled, literal)))
		return
	}
	if d.unquoted(n, v.Type(), s) {
		return
	}
	open := literal && !looksSecret(text) && (!secretWord(s.last()) || s.tag.Get("format") == "column")
	if open {
		d.page.show(n.at, n.text)
	}
	if s.tag.Get("yaml") == "sql" {
		d.texts[strings.Join(s.path, "\x00")] = d.textOf(n)
	}
	d.parse(n, text, v, s, open)
}

// textOf notes where a value stands, and lets its lines be printed.
func (d *decoder) textOf(n *node) text {
	t := text{page: d.page, begins: n.at, block: n.block}
	if !n.plain && !n.block {
		t.begins.column++ // behind the quote
	}
	if n.block {
		for i, line := range strings.Split(n.text, "\n") {
			at := t.at(i+1, 1)
			d.page.show(at, strings.TrimRight(line, "\r"))
		}
	}
	return t
}

func (d *decoder) missingVariable(err error, n *node, s spot) {
	name := "VAR"
	var m *missingVariable
	if errors.As(err, &m) {
		name = m.name
	}
	d.add(n.at, missingVar, quoteName(s.name())+": "+err.Error(), "set it, or write ${"+name+":-default}")
}

// looksSecret reports whether text could be a URL with a password in a place
// where none belongs.
func looksSecret(text string) bool {
	return strings.Contains(text, "://") || strings.Contains(text, "@") || strings.Contains(text, "-----BEGIN")
}

// unquoted reports a plain word where text is needed that YAML readers take for
// something else: the Norway problem. Settings of topics and indexes are text in any form.
func (d *decoder) unquoted(n *node, t reflect.Type, s spot) bool {
	if t.Kind() != reflect.String && t != reflect.TypeFor[TablePattern]() && t != reflect.TypeFor[Text]() || !n.plain || len(s.path) > 1 && slices.Contains([]string{"config", "settings"}, s.path[len(s.path)-2]) {
		return false
	}
	switch n.yaml {
	case token.StringType, token.LiteralType, token.FoldedType, token.UnknownType:
		if !slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(n.text)) {
			return false
		}
	}
	d.add(n.at, unquotedString, quoteName(s.name())+" must be text, and YAML readers take this for something else", "put it in quotes")
	return true
}

// parse gives a scalar its type. A value is quoted in messages if open.
func (d *decoder) parse(n *node, text string, v reflect.Value, s spot, open bool) {
	value := quoteName(s.name()) + " is " + Redacted
	if open && len(text) <= 80 {
		value = quoteName(s.name()) + " is " + strconv.Quote(text)
	}
	switch v.Interface().(type) {
	case time.Duration:
		x, err := parseDuration(text)
		d.number(n, int64(x), err, badDuration, "write a duration, such as 50ms, 10s or 1m30s", value, v, s)
	case Size:
		x, err := ParseSize(text)
		d.number(n, int64(x), err, badSize, "write a size, such as 64MiB", value, v, s)
	case Rate:
		x, err := ParseRate(text)
		d.number(n, int64(x), err, badSize, "write a rate, such as 50MiB/s", value, v, s)
	case int:
		x, err := parseInt(text)
		d.number(n, x, err, wrongType, "write a whole number", value, v, s)
	case bool:
		if text != "true" && text != "false" {
			d.add(n.at, wrongType, value+", and must be true or false", "write true or false")
		}
		v.SetBool(text == "true")
	case TablePattern:
		p, err := ParseTable(text)
		if err != nil {
			d.add(n.at, badTable, value+": "+err.Error(), tableMend)
		}
		v.Set(reflect.ValueOf(p))
	case Text:
		x := Text{at: d.textOf(n)}
		d.text(n, text, value, reflect.ValueOf(&x).Elem().Field(0), s)
		v.Set(reflect.ValueOf(x))
	default:
		d.text(n, text, value, v, s)
	}
}

func parseInt(text string) (int64, error) {
	if text == "" || strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") != "" || text == "-" {
		return 0, errors.New("it is not a whole number")
	}
	x, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return math.MaxInt64, nil // out of every field's range
	}
	return x, nil
}

// number sets an integer that lies within the bounds of its tag.
func (d *decoder) number(n *node, x int64, err error, c code, mend, value string, v reflect.Value, s spot) {
	if err != nil {
		d.add(n.at, c, value+": "+err.Error(), mend)
		return
	}
	lo, hi := boundsOf(v.Type(), s.tag)
	if x < lo || x > hi {
		d.add(n.at, outOfRange, fmt.Sprintf("%s, and must be from %s to %s", value, s.tag.Get("min"), s.tag.Get("max")), "write a value in that range")
		return
	}
	v.SetInt(x)
}

// text sets a string that is one of its enum, or fits its format.
func (d *decoder) text(n *node, text, value string, v reflect.Value, s spot) {
	if list := s.tag.Get("enum"); list != "" {
		choices := strings.Split(list, ",")
		if !slices.Contains(choices, text) {
			mend := "write one of " + strings.Join(choices, ", ")
			if near := nearest(text, choices); near != "" && strings.HasSuffix(value, strconv.Quote(text)) {
				mend = "write " + near
			}
			d.add(n.at, badValue, value+", and must be one of "+strings.Join(choices, ", "), mend)
			return
		}
	} else if f, ok := d.formats[s.tag.Get("format")]; ok && !f.ok(text) {
		d.add(n.at, f.code, value+": "+f.rule, f.mend)
		return
	}
	v.SetString(text)
}
