package tuple

import (
	"bytes"
)

// A decimal is 0.D₁D₂… × 100^E with digits D of base 100 and D₁ ≠ 0, which only
// one D₁ D₂ … and E do for a number:
//
//	−Infinity  00 ff
//	negative   the bytes of its absolute value, inverted
//	zero       80
//	positive   82+40+E:byte             digits    −40 ≤ E ≤ 83
//	           81 E:int                 digits    smaller
//	           fe E:int                 digits    greater
//	Infinity   ff 00
//	NaN        ff 01
//	digit      2·D+1, the last 2·D
const (
	decTiny     = 0x81
	decSmallest = 0x82 // of the tags that hold the exponent
	decHuge     = 0xfe
	decZero     = 0x80
	decSpecial  = 0xff
	decInfinity = 0x00 // behind decSpecial
	decNaN      = 0x01
	decMinExp   = -40 // the exponent of decSmallest
	decMaxExp   = decHuge - 1 - decSmallest + decMinExp
)

// maxExponent bounds the exponents that are decoded: numeric has 131,072 digits
// at most.
const maxExponent = 1 << 17

func appendDecimal(dst, text []byte) []byte {
	start := len(dst)
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	switch {
	case len(text) == 0:
		return append(dst, decZero)
	case text[0] == 'N':
		return append(dst, decSpecial, decNaN)
	case text[0] == 'I':
		dst = append(dst, decSpecial, decInfinity)
	default:
		dst = appendMagnitude(dst, text)
	}
	if negative && dst[start] != decZero {
		invert(dst[start:])
	}
	return dst
}

// appendMagnitude writes a number that has no sign.
func appendMagnitude(dst, text []byte) []byte {
	whole, frac, exp := significant(text)
	if len(whole)+len(frac) == 0 {
		return append(dst, decZero)
	}
	dst = appendExponent(dst, (exp+1)>>1)
	w := pairs{dst: dst}
	if exp&1 != 0 {
		w.add('0')
	}
	for _, c := range whole {
		w.add(c)
	}
	for _, c := range frac {
		w.add(c)
	}
	return w.end()
}

// significant gives the digits of a number without zeros on either side, before
// and behind its point; and exp, so that it is 0.digits × 10^exp.
func significant(text []byte) (whole, frac []byte, exp int) {
	whole, frac = text, nil
	if p := bytes.IndexByte(text, '.'); p >= 0 {
		whole, frac = text[:p], bytes.TrimRight(text[p+1:], "0")
	}
	whole = bytes.TrimLeft(whole, "0")
	exp = len(whole)
	if len(whole) == 0 {
		all := len(frac)
		frac = bytes.TrimLeft(frac, "0")
		exp = len(frac) - all
	}
	if len(frac) == 0 {
		whole = bytes.TrimRight(whole, "0")
	}
	return whole, frac, exp
}

func appendExponent(dst []byte, e int) []byte {
	switch {
	case e < decMinExp:
		return appendInt(append(dst, decTiny), int64(e))
	case e > decMaxExp:
		return appendInt(append(dst, decHuge), int64(e))
	}
	return append(dst, byte(e-decMinExp+decSmallest))
}

// pairs writes decimal digits two by two.
type pairs struct {
	dst  []byte
	tens byte
	half bool // tens waits for its unit
}

func (p *pairs) add(c byte) {
	d := min(c-'0', 9)
	if !p.half {
		p.tens, p.half = d*10, true
		return
	}
	p.dst = append(p.dst, (p.tens+d)<<1|1)
	p.half = false
}

// end marks the last digit.
func (p *pairs) end() []byte {
	if p.half {
		p.add('0')
	}
	p.dst[len(p.dst)-1] &^= 1
	return p.dst
}

// decimalBytes is the length of a decimal that b begins with; x is 0xff if its
// bytes are inverted. 0 means that b is cut or holds none.
func decimalBytes(b []byte, x byte) int {
	if len(b) == 0 {
		return 0
	}
	if b[0]^x < decZero {
		x = ^x // a negative number
	}
	n := 1
	switch tag := b[0] ^ x; tag {
	case decZero:
		return 1
	case decSpecial:
		return min(2, len(b)/2*2)
	case decTiny, decHuge:
		w := intSize(b[1:], x)
		if w == 0 {
			return 0
		}
		n += w
	}
	for ; n < len(b); n++ {
		if (b[n]^x)&1 == 0 {
			return n + 1
		}
	}
	return 0
}

// intSize is the length of an int with its tag, as decimalBytes.
func intSize(b []byte, x byte) int {
	if len(b) == 0 {
		return 0
	}
	n := intBytes(b[0] ^ x)
	if n < 0 || n >= len(b) {
		return 0
	}
	return n + 1
}

// parseDecimal writes the text of a decimal of its full length behind arena;
// ok is false for bytes that appendDecimal does not write.
func parseDecimal(b, arena []byte) (longer []byte, ok bool) {
	x := byte(0)
	if b[0] < decZero {
		x = 0xff
		arena = append(arena, '-')
	}
	switch b[0] ^ x {
	case decZero:
		return append(arena, '0'), true
	case decSpecial:
		return parseSpecial(b[1]^x, x, arena)
	}
	e, digits := int64(b[0]^x)-decSmallest+decMinExp, b[1:]
	if tag := b[0] ^ x; tag == decTiny || tag == decHuge {
		n := intSize(digits, x)
		var plain [9]byte
		for i, c := range digits[:n] {
			plain[i] = c ^ x
		}
		e, digits = parseInt(plain[:n]), digits[n:]
	}
	outer := (digits[0]^x)>>1 == 0 || (digits[len(digits)-1]^x)>>1 == 0
	if outer || e < -maxExponent || e > maxExponent {
		return arena, false
	}
	return appendDigits(arena, digits, x, int(e))
}

func parseSpecial(which, x byte, arena []byte) ([]byte, bool) {
	switch {
	case which == decInfinity:
		return append(arena, "Infinity"...), true
	case which == decNaN && x == 0:
		return append(arena, "NaN"...), true
	}
	return arena, false
}

// appendDigits writes 0.digits × 100^e as text without an exponent.
func appendDigits(dst, digits []byte, x byte, e int) ([]byte, bool) {
	start := len(dst)
	if e <= 0 {
		dst = append(dst, '0', '.')
		for range -e {
			dst = append(dst, '0', '0')
		}
	}
	for i, c := range digits {
		d := (c ^ x) >> 1
		if d > 99 {
			return dst, false
		}
		if i == e && i > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, '0'+d/10, '0'+d%10)
	}
	for range e - len(digits) {
		dst = append(dst, '0', '0')
	}
	if len(digits) > e {
		dst = bytes.TrimRight(dst, "0")
	}
	if e > 0 && dst[start] == '0' {
		dst = append(dst[:start], dst[start+1:]...)
	}
	return dst, true
}
