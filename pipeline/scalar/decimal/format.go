package decimal

import (
	"strings"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// A Format is a compiled template of to_char for numbers: digits (9, and 0 where
// zeros are shown), commas between them, one point, FM for no padding, and
// characters that stand for themselves. What depends on a locale, and the rarer
// patterns, are refused.
type Format struct {
	places    []place
	pre, post int  // digits before and behind the point
	zeroFrom  int  // the first place before the point that shows zeros; pre if there is none
	zeroTo    int  // the last place of all that does, counted from 1; 0 if there is none
	point     bool // there is a point
	tight     bool // FM
}

// A place is one digit (9 or 0), a comma, a point, or text.
type place struct {
	kind byte // '9' '0' ',' '.' or 't'
	text string
}

// CompileFormat reads a template.
func CompileFormat(template []byte) (*Format, error) {
	f := &Format{zeroFrom: -1}
	for s := string(template); s != ""; {
		rest, err := f.next(s)
		if err != nil {
			return nil, err
		}
		s = rest
	}
	if f.point && f.post == 0 {
		return nil, fault.Unsupported("to_char of numbers with no digit behind the point is not known; leave the point out")
	}
	if f.zeroFrom < 0 {
		f.zeroFrom = f.pre
	}
	return f, nil
}

func (f *Format) next(s string) (rest string, err error) {
	switch {
	case strings.HasPrefix(s, "FM"), strings.HasPrefix(s, "fm"):
		f.tight = true
		return s[2:], nil
	case s[0] == '9' || s[0] == '0':
		f.digit(s[0])
	case s[0] == ',':
		f.places = append(f.places, place{kind: ','})
	case s[0] == '.' && f.point:
		return "", fault.New("42601", "multiple decimal points")
	case s[0] == '.':
		f.point = true
		f.places = append(f.places, place{kind: '.'})
	case s[0] == '"':
		text, rest := quoted(s[1:])
		f.places = append(f.places, place{'t', text})
		return rest, nil
	case isPattern(s):
		return "", fault.Unsupported("to_char of numbers knows 9, 0, comma, point and FM only; put other letters into double quotes")
	default:
		if strings.HasPrefix(s, `\"`) {
			s = s[1:]
		}
		_, size := utf8.DecodeRuneInString(s)
		f.places = append(f.places, place{'t', s[:size]})
		return s[size:], nil
	}
	return s[1:], nil
}

func (f *Format) digit(kind byte) {
	f.places = append(f.places, place{kind: kind})
	if kind == '0' && !f.point && f.zeroFrom < 0 {
		f.zeroFrom = f.pre
	}
	if f.point {
		f.post++
	} else {
		f.pre++
	}
	if kind == '0' {
		f.zeroTo = f.pre + f.post
	}
}

// isPattern reports whether s begins with a pattern that is not known here.
func isPattern(s string) bool {
	for _, p := range strings.Fields("B C D EEEE G L MI PL PR RN SG SP S TH V") {
		if strings.HasPrefix(s, p) || strings.HasPrefix(s, strings.ToLower(p)) {
			return true
		}
	}
	return false
}

func quoted(s string) (text, rest string) {
	var b strings.Builder
	for s != "" && s[0] != '"' {
		if s[0] == '\\' && len(s) > 1 {
			s = s[1:]
		}
		_, size := utf8.DecodeRuneInString(s)
		b.WriteString(s[:size])
		s = s[size:]
	}
	return b.String(), strings.TrimPrefix(s, `"`)
}

// Append writes d, rounded to the digits there are; a number too large for them
// becomes crosses.
func (f *Format) Append(dst []byte, d Decimal) ([]byte, error) {
	if !d.IsFinite() {
		return dst, fault.Unsupported("to_char of NaN and infinities is not known")
	}
	d = d.round(f.post, halfUp)
	whole, frac, _ := strings.Cut(d.Abs().String(), ".")
	if len(whole) > f.pre {
		whole, frac = strings.Repeat("#", f.pre), strings.Repeat("#", f.post)
	}
	w := writer{f: f, dst: dst, neg: d.Sign() < 0, whole: whole, frac: frac, blanks: f.pre - len(whole)}
	w.hidden = whole == "0" && f.post > 0 && f.zeroFrom == f.pre
	w.shown = f.relevant(frac)
	w.signed = f.tight && !w.neg
	for _, p := range f.places {
		w.place(p)
	}
	return w.dst, nil
}

// relevant counts the fractional digits that FM leaves: up to the last that is not
// 0, or stands on a 0 of the template.
func (f *Format) relevant(frac string) int {
	if !f.tight {
		return len(frac)
	}
	return max(len(strings.TrimRight(frac, "0")), min(f.zeroTo-f.pre, len(frac)))
}

// A writer goes over the places of a template with one number.
type writer struct {
	f           *Format
	dst         []byte
	neg         bool
	whole, frac string
	blanks      int  // places before the point that the number does not reach
	hidden      bool // the whole part is a 0 that is not shown
	shown       int  // fractional digits that are shown
	signed      bool // the sign is written, or not needed
	inside      bool // the last digit place held a digit: a comma behind it is shown
	at          int  // the digit place that comes next
}

func (w *writer) place(p place) {
	switch p.kind {
	case 't':
		w.dst = append(w.dst, p.text...)
	case ',':
		if w.inside {
			w.dst = append(w.dst, ',')
		} else if !w.f.tight {
			w.dst = append(w.dst, ' ')
		}
	case '.':
		w.inside = false
		w.sign()
		w.dst = append(w.dst, '.')
	default:
		w.digit(p.kind)
		w.at++
	}
}

func (w *writer) digit(kind byte) {
	w.inside = false
	switch i := w.at - w.f.pre; {
	case i >= 0:
		if i < w.shown || kind == '0' {
			w.write(w.frac[i])
		}
	case w.at < w.blanks && w.at < w.f.zeroFrom:
		w.blank()
	case w.at < w.blanks:
		w.write('0')
	case w.hidden && !(w.f.tight && w.shown == 0):
		w.blank()
	default:
		w.write(w.whole[w.at-w.blanks])
	}
}

func (w *writer) blank() {
	if !w.f.tight {
		w.dst = append(w.dst, ' ')
	}
}

func (w *writer) write(c byte) {
	w.sign()
	w.dst, w.inside = append(w.dst, c), true
}

// sign writes the sign before the first digit or point that is shown.
func (w *writer) sign() {
	switch {
	case w.signed:
	case w.neg:
		w.dst = append(w.dst, '-')
	default:
		w.dst = append(w.dst, ' ')
	}
	w.signed = true
}
