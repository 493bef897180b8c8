package decimal

import "bytes"

// Compare orders two decimal texts as Postgres does: 1.0 equals 1.00, NaN equals
// NaN and is greater than everything else. It allocates nothing.
func Compare(a, b []byte) int {
	x, y := rank(a), rank(b)
	if x != y || x != number {
		return x - y
	}
	negA, wholeA, fracA := split(a)
	negB, wholeB, fracB := split(b)
	switch {
	case negA != negB && negA:
		return -1
	case negA != negB:
		return 1
	case negA:
		return -compareDigits(wholeA, fracA, wholeB, fracB)
	}
	return compareDigits(wholeA, fracA, wholeB, fracB)
}

// number is the rank of what is neither NaN nor infinite.
const number = 1

func rank(text []byte) int {
	if len(text) == 0 {
		return number
	}
	switch {
	case text[0] == 'N':
		return 3
	case text[0] == 'I':
		return 2
	case text[0] == '-' && len(text) > 1 && text[1] == 'I':
		return 0
	}
	return number
}

// split takes a text apart, without zeros at either end; zero has no sign.
func split(text []byte) (neg bool, whole, frac []byte) {
	if len(text) > 0 && text[0] == '-' {
		neg, text = true, text[1:]
	}
	whole = text
	if i := bytes.IndexByte(text, '.'); i >= 0 {
		whole, frac = text[:i], text[i+1:]
	}
	for len(whole) > 0 && whole[0] == '0' {
		whole = whole[1:]
	}
	for len(frac) > 0 && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	return neg && len(whole)+len(frac) > 0, whole, frac
}

func compareDigits(wholeA, fracA, wholeB, fracB []byte) int {
	if len(wholeA) != len(wholeB) {
		return len(wholeA) - len(wholeB)
	}
	if c := bytes.Compare(wholeA, wholeB); c != 0 {
		return c
	}
	return bytes.Compare(fracA, fracB)
}
