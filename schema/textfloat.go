package schema

import (
	"math"
	"math/big"
	"strconv"
)

// appendFloat writes the shortest text that reads back as the same number, with
// an exponent below 1e-4 and from 1e15 on (1e6 in single precision).
func appendFloat(dst []byte, f float64, bits int) []byte {
	limit := 15
	if bits == 32 {
		limit = 6
	} else {
		bits = 64
	}
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	start := len(dst)
	dst = appendShortest(dst, f, bits)
	if e := exponent(dst[start:]); e >= -4 && e < limit {
		dst = strconv.AppendFloat(dst[:start], f, 'f', -1, bits)
	}
	return dst
}

// appendShortest writes f with an exponent. Postgres differs from strconv in
// one point: a text that lies exactly between two floats, and would be read as
// f only because halves go to the even one, is not short enough for it; it
// takes one digit more.
func appendShortest(dst []byte, f float64, bits int) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	if !mayBeHalfway(f, bits) {
		return dst
	}
	for halfway(string(dst[start:]), f, bits) {
		dst = strconv.AppendFloat(dst[:start], f, 'e', mantissaDigits(dst[start:]), bits)
	}
	return dst
}

// mayBeHalfway is a cheap test that excludes nearly all numbers. A short text
// can only lie between two floats where these are at least 2 apart, and not far
// above: half of their distance times an odd number must still have many
// factors of five.
func mayBeHalfway(f float64, bits int) bool {
	a := math.Abs(f)
	if bits == 32 {
		return a >= 1<<24 && a < 1e20 && math.Float32bits(float32(f))&1 == 0
	}
	return a >= 1<<53 && a < 1e42 && math.Float64bits(f)&1 == 0
}

// halfway reports whether text lies exactly between f and one of its neighbours.
func halfway(text string, f float64, bits int) bool {
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return false
	}
	for _, side := range [...]float64{math.Inf(1), math.Inf(-1)} {
		next := math.Nextafter(f, side)
		if bits == 32 {
			next = float64(math.Nextafter32(float32(f), float32(side)))
		}
		sum := new(big.Rat).Add(new(big.Rat).SetFloat64(f), new(big.Rat).SetFloat64(next))
		if sum.Cmp(new(big.Rat).Add(exact, exact)) == 0 {
			return true
		}
	}
	return false
}

// mantissaDigits counts the digits of a float printed with %e.
func mantissaDigits(text []byte) int {
	n := 0
	for _, c := range text {
		if c == 'e' {
			break
		}
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n
}

// exponent reads the exponent of a float printed with %e.
func exponent(text []byte) int {
	i := len(text) - 1
	for text[i-1] != 'e' {
		i--
	}
	n := 0
	for _, c := range text[i+1:] {
		n = n*10 + int(c-'0')
	}
	if text[i] == '-' {
		return -n
	}
	return n
}
