package avro

import (
	"math/big"
	"math/bits"
)

// Avro's decimal is its unscaled number: two's complement, big-endian, the
// fewest bytes. Up to 38 digits it is made in 128 bits, beyond that with
// math/big, which allocates. Our additions, where Avro and Debezium have
// nothing:
//
//	numeric(p,s)  NaN                        no bytes
//	numeric       NaN, Infinity, -Infinity   no bytes, and scale 0, 1, -1

// fastDigits is how many decimal digits certainly fit a signed 128-bit number.
const fastDigits = 38

// A number is a decimal text taken apart: the digits without their point, and
// how many stand behind it.
type number struct {
	negative bool
	digits   int  // significant ones
	frac     int  // digits behind the point
	wide     bool // does not fit hi and lo
	hi, lo   uint64
}

// parseNumber takes decimal text apart.
func parseNumber(text []byte) (n number, err error) {
	if len(text) > 0 && text[0] == '-' {
		n.negative, text = true, text[1:]
	}
	point, any := false, false
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n.push(uint64(c - '0'))
			any = true
			if point {
				n.frac++
			}
		case c == '.' && !point:
			point = true
		default:
			return n, errDecimal
		}
	}
	if !any {
		return n, errDecimal
	}
	return n, nil
}

// push adds a digit on the right.
func (n *number) push(digit uint64) {
	if n.digits > 0 || digit > 0 {
		n.digits++
	}
	if n.digits > fastDigits {
		n.wide = true
		return
	}
	if n.digits < 19 {
		n.lo = n.lo*10 + digit
		return
	}
	n.times(10)
	var carry uint64
	n.lo, carry = bits.Add64(n.lo, digit, 0)
	n.hi += carry
}

// times multiplies; the caller knows that the product fits.
func (n *number) times(by uint64) {
	carry, lo := bits.Mul64(n.lo, by)
	n.hi, n.lo = n.hi*by+carry, lo
}

// rescale makes the number one with scale digits behind the point: it adds
// zeros, or takes zeros away; ok is false if a digit that is not zero would
// have to go.
func (n *number) rescale(scale int) (ok bool) {
	for ; n.frac < scale && n.digits > 0; n.frac++ {
		if n.digits++; n.digits > fastDigits {
			n.wide = true
			return true
		}
		n.times(10)
	}
	for ; n.frac > scale && n.digits > 0; n.frac-- {
		if n.divide(10) != 0 {
			return false
		}
	}
	return true
}

// divide divides and gives the remainder.
func (n *number) divide(by uint64) (rest uint64) {
	n.hi, rest = n.hi/by, n.hi%by
	n.lo, rest = bits.Div64(rest, n.lo, by)
	return rest
}

// appendDecimal writes decimal text as the bytes of a decimal with this scale.
func appendDecimal(dst, text []byte, scale int) ([]byte, error) {
	switch string(text) {
	case "NaN":
		return append(dst, 0), nil
	case "Infinity", "-Infinity":
		return dst, errInfinite
	}
	n, err := parseNumber(text)
	if err != nil {
		return dst, err
	}
	if !n.wide {
		if !n.rescale(scale) {
			return dst, errPrecision
		}
	}
	if n.wide {
		return appendWide(dst, text, scale)
	}
	return n.append(dst), nil
}

// appendVariableDecimal writes decimal text with its own scale before it.
func appendVariableDecimal(dst, text []byte) ([]byte, error) {
	switch string(text) {
	case "NaN":
		return append(dst, 0, 0), nil
	case "Infinity":
		return append(appendLong(dst, 1), 0), nil
	case "-Infinity":
		return append(appendLong(dst, -1), 0), nil
	}
	n, err := parseNumber(text)
	if err != nil {
		return dst, err
	}
	dst = appendLong(dst, int64(n.frac))
	if n.wide {
		return appendWide(dst, text, n.frac)
	}
	return n.append(dst), nil
}

// append writes the number's two's complement as Avro bytes.
func (n *number) append(dst []byte) []byte {
	hi, lo := n.hi, n.lo
	if n.negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	size := twosBytes(hi, lo)
	dst = append(dst, byte(size)<<1)
	for i := size - 1; i >= 0; i-- {
		if i >= 8 {
			dst = append(dst, byte(hi>>(8*(i-8))))
		} else {
			dst = append(dst, byte(lo>>(8*i)))
		}
	}
	return dst
}

// twosBytes counts the bytes that a 128-bit two's complement number needs: its
// bits without repeated signs, and one sign.
func twosBytes(hi, lo uint64) int {
	if sign := uint64(int64(hi) >> 63); sign != 0 {
		hi, lo = ^hi, ^lo
	}
	used := bits.Len64(lo)
	if hi != 0 {
		used = 64 + bits.Len64(hi)
	}
	return used/8 + 1
}

// appendWide does with math/big what does not fit 128 bits.
func appendWide(dst, text []byte, scale int) ([]byte, error) {
	n, frac := bigNumber(text)
	if n == nil {
		return dst, errDecimal
	}
	if frac > scale {
		rest := new(big.Int)
		if n.QuoRem(n, pow10(frac-scale), rest); rest.Sign() != 0 {
			return dst, errPrecision
		}
	} else {
		n.Mul(n, pow10(scale-frac))
	}
	return appendBytes(dst, twosComplement(n)), nil
}

// bigNumber reads decimal text without its point; frac digits stood behind it.
func bigNumber(text []byte) (n *big.Int, frac int) {
	digits := make([]byte, 0, len(text))
	for i, c := range text {
		if c == '.' {
			frac = len(text) - i - 1
			continue
		}
		digits = append(digits, c)
	}
	n, _ = new(big.Int).SetString(string(digits), 10)
	return n, frac
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// twosComplement gives the fewest bytes of n.
func twosComplement(n *big.Int) []byte {
	if n.Sign() >= 0 {
		return n.FillBytes(make([]byte, n.BitLen()/8+1))
	}
	size := new(big.Int).Not(n).BitLen()/8 + 1
	top := new(big.Int).Lsh(big.NewInt(1), uint(size)*8)
	return top.Add(top, n).FillBytes(make([]byte, size))
}
