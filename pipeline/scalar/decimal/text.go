package decimal

import (
	"math/big"
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// Parse reads decimal text as a row holds it: digits with a point, no exponent.
func Parse(text []byte) (Decimal, error) {
	if d, ok := parseSmall(text); ok {
		return d, nil
	}
	return ParseLiteral(text)
}

// parseSmall reads up to 18 digits.
func parseSmall(text []byte) (Decimal, bool) {
	i, neg := 0, false
	if len(text) > 0 && text[0] == '-' {
		i, neg = 1, true
	}
	if len(text)-i > 19 || i == len(text) {
		return Decimal{}, false
	}
	n, digits, point := int64(0), 0, -1
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
			digits++
		case c == '.' && point < 0:
			point = digits
		default:
			return Decimal{}, false
		}
	}
	if digits == 0 || digits > 18 {
		return Decimal{}, false
	}
	if neg {
		n = -n
	}
	if point < 0 {
		point = digits
	}
	return Decimal{small: n, scale: int32(digits - point)}, true
}

// ParseLiteral reads what numeric_in reads: white space around it, an exponent,
// NaN and infinities in any case.
func ParseLiteral(text []byte) (Decimal, error) {
	text = trimSpace(text)
	if d, ok := parseWord(text); ok {
		return d, nil
	}
	p := literal{text: text}
	if !p.read() {
		return Decimal{}, fault.Syntax("numeric")
	}
	return p.value()
}

func parseWord(text []byte) (Decimal, bool) {
	sign := 1
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			sign = -1
		}
		text = text[1:]
	} else if foldEqual(text, "nan") {
		return NaN(), true
	}
	if foldEqual(text, "infinity") || foldEqual(text, "inf") {
		return Infinity(sign), true
	}
	return Decimal{}, false
}

func foldEqual(text []byte, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i, c := range text {
		if c|0x20 != word[i] {
			return false
		}
	}
	return true
}

// A literal is a number being read.
type literal struct {
	text     []byte
	neg      bool
	digits   []byte
	scale    int
	exponent int64
}

func (p *literal) read() bool {
	if p.accept('-') {
		p.neg = true
	} else {
		p.accept('+')
	}
	p.run()
	if p.accept('.') {
		before := len(p.digits)
		p.run()
		p.scale = len(p.digits) - before
	}
	if len(p.digits) == 0 {
		return false
	}
	if p.accept('e') || p.accept('E') {
		return p.readExponent() && len(p.text) == 0
	}
	return len(p.text) == 0
}

func (p *literal) readExponent() bool {
	neg := p.accept('-')
	if !neg {
		p.accept('+')
	}
	start := len(p.text)
	for len(p.text) > 0 && isDigit(p.text[0]) {
		p.exponent = min(p.exponent*10+int64(p.text[0]-'0'), 1<<31)
		p.text = p.text[1:]
	}
	if neg {
		p.exponent = -p.exponent
	}
	return len(p.text) < start
}

func (p *literal) accept(c byte) bool {
	if len(p.text) == 0 || p.text[0] != c {
		return false
	}
	p.text = p.text[1:]
	return true
}

func (p *literal) run() {
	i := 0
	for i < len(p.text) && isDigit(p.text[i]) {
		i++
	}
	p.digits = append(p.digits, p.text[:i]...)
	p.text = p.text[i:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (p *literal) value() (Decimal, error) {
	scale := int64(p.scale) - p.exponent
	n, _ := new(big.Int).SetString(string(p.digits), 10)
	switch {
	case scale > maxScale:
		return Decimal{}, overflow()
	case n.Sign() == 0:
		scale = max(scale, 0)
	case scale < -maxWholeDigits:
		return Decimal{}, overflow()
	}
	if p.neg {
		n.Neg(n)
	}
	if scale < 0 {
		return checked(NewBig(n.Mul(n, pow10(int(-scale))), 0))
	}
	return checked(NewBig(n, int(scale)))
}

// Append writes d as Postgres prints it.
func (d Decimal) Append(dst []byte) []byte {
	switch d.class {
	case nan:
		return append(dst, "NaN"...)
	case plusInfinity:
		return append(dst, "Infinity"...)
	case minusInfinity:
		return append(dst, "-Infinity"...)
	}
	if d.big != nil {
		return appendPoint(dst, d.Sign() < 0, new(big.Int).Abs(d.big).Append(nil, 10), int(d.scale))
	}
	var buf [20]byte
	return appendPoint(dst, d.small < 0, strconv.AppendUint(buf[:0], magnitude(d.small), 10), int(d.scale))
}

// appendPoint writes digits with a point before the last scale of them.
func appendPoint(dst []byte, neg bool, digits []byte, scale int) []byte {
	if neg {
		dst = append(dst, '-')
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

// String prints d.
func (d Decimal) String() string { return string(d.Append(nil)) }

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
