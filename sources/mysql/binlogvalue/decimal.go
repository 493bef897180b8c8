package binlogvalue

import (
	"errors"
	"strconv"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// The binary form of a decimal: groups of nine digits in four bytes, the highest
// first, before and after the point; a leading or trailing group of fewer digits in
// fewer bytes; the first bit inverted, and all bits of a negative number.
//
//	decimal(14,4) of -1234567890.1234   →   1 | 234567890 | 1234
//	                                        1     4 bytes   2     bytes

// groupBytes is how many bytes a group of so many digits takes.
var groupBytes = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

const groupDigits = 9

func decimalBytes(precision, scale int) int {
	whole := precision - scale
	if whole < 0 || scale < 0 {
		return 0
	}
	return whole/groupDigits*4 + groupBytes[whole%groupDigits] + scale/groupDigits*4 + groupBytes[scale%groupDigits]
}

var errDecimal = errors.New("a decimal of more digits than its type has")

// decimal reads a decimal as text: no zeros in front, exactly scale digits behind
// the point, as the server prints it.
func decimal(b []byte, precision, scale int, a *arena.Bytes) (schema.Value, error) {
	negative := b[0]&0x80 == 0
	flip, first := byte(0), byte(0x80)
	if negative {
		flip = 0xff
	}
	out := a.Alloc(precision + 3)[:0] // sign, point, and the zero before it
	if negative {
		out = append(out, '-')
	}
	whole, start := precision-scale, len(out)
	group := func(digits int) bool {
		var n uint64
		size := groupBytes[digits]
		for _, x := range b[:size] {
			n = n<<8 | uint64(x^flip^first)
			first = 0
		}
		b = b[size:]
		if n >= powers[digits] {
			return false
		}
		out = appendDigits(out, n, digits)
		return true
	}
	ok := whole%groupDigits == 0 || group(whole%groupDigits)
	for i := 0; ok && i < whole/groupDigits; i++ {
		ok = group(groupDigits)
	}
	out = trimZeros(out, start)
	if scale > 0 {
		out = append(out, '.')
	}
	for i := 0; ok && i < scale/groupDigits; i++ {
		ok = group(groupDigits)
	}
	if ok && scale%groupDigits > 0 {
		ok = group(scale % groupDigits)
	}
	if !ok {
		return schema.Value{}, errDecimal
	}
	return schema.Decimal(unsignedZero(out)), nil
}

// trimZeros takes the zeros in front of the number that begins at start away, but
// leaves one digit.
func trimZeros(text []byte, start int) []byte {
	i := start
	for i < len(text)-1 && text[i] == '0' {
		i++
	}
	if len(text) == start {
		return append(text, '0')
	}
	return append(text[:start], text[i:]...)
}

// unsignedZero takes the sign of a zero away.
func unsignedZero(text []byte) []byte {
	if len(text) == 0 || text[0] != '-' {
		return text
	}
	for _, c := range text[1:] {
		if c != '0' && c != '.' {
			return text
		}
	}
	return text[1:]
}

var powers = [groupDigits + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

func appendDigits(dst []byte, n uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, byte('0'+n/powers[i]%10))
	}
	return dst
}

// appendUint prints n into memory of a.
func appendUint(a *arena.Bytes, n uint64) []byte {
	var buf [20]byte
	return a.Copy(strconv.AppendUint(buf[:0], n, 10))
}
