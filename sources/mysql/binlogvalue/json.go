package binlogvalue

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"strconv"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
)

// MySQL's binary JSON, as it lies in the log: a type, then a value.
//
//	object, array   count | bytes in all | key entries | value entries | keys | values
//	                u16 each in a small one, u32 in a large one; offsets count from count
//	key entry       offset | u16 length
//	value entry     u8 type | offset, or the value itself where it fits
//	string          length in groups of 7 bits, the lowest first | bytes
//	opaque          u8 type of a column | length as above | bytes
const (
	jsonSmallObject = 0x00
	jsonLargeObject = 0x01
	jsonSmallArray  = 0x02
	jsonLargeArray  = 0x03
	jsonLiteral     = 0x04
	jsonInt16       = 0x05
	jsonUint16      = 0x06
	jsonInt32       = 0x07
	jsonUint32      = 0x08
	jsonInt64       = 0x09
	jsonUint64      = 0x0a
	jsonDouble      = 0x0b
	jsonString      = 0x0c
	jsonOpaque      = 0x0f
)

// jsonDepth is how deep the server lets documents be.
const jsonDepth = 100

var errJSON = errors.New("a JSON document that is not in the server's binary form")

// jsonText prints a document as the server does: a space behind comma and colon,
// keys in its own order. An empty document stands for the value null, as the server
// reads it.
func jsonText(b []byte, a *arena.Bytes) (schema.Value, error) {
	if len(b) == 0 {
		return schema.JSON([]byte("null")), nil
	}
	p := jsonPrinter{out: a.Alloc(4*len(b) + 32)[:0], budget: 64*len(b) + 1<<16, memory: a}
	if err := p.value(b[0], b[1:], 0); err != nil {
		return schema.Value{}, err
	}
	return schema.JSON(p.out), nil
}

// A jsonPrinter bounds what it writes: values of a crafted document may lie over
// each other.
type jsonPrinter struct {
	out    []byte
	budget int
	memory *arena.Bytes
}

func (p *jsonPrinter) value(kind byte, b []byte, depth int) error {
	if depth > jsonDepth || len(p.out) > p.budget {
		return errJSON
	}
	switch kind {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		return p.container(kind, b, depth)
	case jsonString:
		s, err := jsonLength(b)
		p.text(s)
		return err
	case jsonOpaque:
		return p.opaque(b)
	}
	return p.scalar(kind, b)
}

func (p *jsonPrinter) scalar(kind byte, b []byte) error {
	size := scalarBytes(kind)
	if size == 0 || len(b) < size {
		return errJSON
	}
	n := little(b[:size])
	switch kind {
	case jsonLiteral:
		words := [...]string{"null", "true", "false"}
		if n >= uint64(len(words)) {
			return errJSON
		}
		p.out = append(p.out, words[n]...)
	case jsonInt16, jsonInt32, jsonInt64:
		shift := 64 - 8*size
		p.out = strconv.AppendInt(p.out, int64(n<<shift)>>shift, 10)
	case jsonUint16, jsonUint32, jsonUint64:
		p.out = strconv.AppendUint(p.out, n, 10)
	case jsonDouble:
		p.out = appendDouble(p.out, math.Float64frombits(n))
	}
	return nil
}

func scalarBytes(kind byte) int {
	switch kind {
	case jsonLiteral:
		return 1
	case jsonInt16, jsonUint16:
		return 2
	case jsonInt32, jsonUint32:
		return 4
	case jsonInt64, jsonUint64, jsonDouble:
		return 8
	}
	return 0
}

func (p *jsonPrinter) container(kind byte, b []byte, depth int) error {
	width, object := 2, kind == jsonSmallObject || kind == jsonLargeObject
	if kind == jsonLargeObject || kind == jsonLargeArray {
		width = 4
	}
	if len(b) < 2*width {
		return errJSON
	}
	n, size := int(little(b[:width])), int(little(b[width:2*width]))
	if size > len(b) {
		return errJSON
	}
	b = b[:size]
	values, ends := 2*width, "[]"
	if object {
		values, ends = values+n*(width+2), "{}"
	}
	if values+n*(width+1) > len(b) {
		return errJSON
	}
	p.out = append(p.out, ends[0])
	for i := range n {
		if i > 0 {
			p.out = append(p.out, ", "...)
		}
		if object {
			if err := p.key(b, 2*width+i*(width+2), width); err != nil {
				return err
			}
		}
		if err := p.entry(b, values+i*(width+1), width, depth); err != nil {
			return err
		}
	}
	p.out = append(p.out, ends[1])
	return nil
}

func (p *jsonPrinter) key(b []byte, at, width int) error {
	from, length := int(little(b[at:at+width])), int(little(b[at+width:at+width+2]))
	if from+length > len(b) {
		return errJSON
	}
	p.text(b[from : from+length])
	p.out = append(p.out, ": "...)
	return nil
}

// entry prints a value that lies in its entry if it fits there.
func (p *jsonPrinter) entry(b []byte, at, width, depth int) error {
	kind, place := b[at], b[at+1:at+1+width]
	inline := kind == jsonLiteral || kind == jsonInt16 || kind == jsonUint16 || width == 4 && (kind == jsonInt32 || kind == jsonUint32)
	if inline {
		return p.scalar(kind, place)
	}
	from := int(little(place))
	if from > len(b) {
		return errJSON
	}
	return p.value(kind, b[from:], depth+1)
}

// jsonLength takes a string behind its length.
func jsonLength(b []byte) ([]byte, error) {
	size, n := uint64(0), 0
	for {
		if n == len(b) || n == 5 {
			return nil, errJSON
		}
		size |= uint64(b[n]&0x7f) << (7 * n)
		n++
		if b[n-1]&0x80 == 0 {
			break
		}
	}
	if size > uint64(len(b)-n) {
		return nil, errJSON
	}
	return b[n : n+int(size)], nil
}

func (p *jsonPrinter) text(s []byte) {
	const hexDigits = "0123456789abcdef"
	p.out = append(p.out, '"')
	for _, c := range s {
		switch c {
		case '"', '\\':
			p.out = append(p.out, '\\', c)
		case '\b':
			p.out = append(p.out, `\b`...)
		case '\f':
			p.out = append(p.out, `\f`...)
		case '\n':
			p.out = append(p.out, `\n`...)
		case '\r':
			p.out = append(p.out, `\r`...)
		case '\t':
			p.out = append(p.out, `\t`...)
		default:
			if c < 0x20 {
				p.out = append(p.out, `\u00`...)
				p.out = append(p.out, hexDigits[c>>4], hexDigits[c&15])
				continue
			}
			p.out = append(p.out, c)
		}
	}
	p.out = append(p.out, '"')
}

// opaque prints what JSON has no type for: decimals as numbers, dates and times as
// texts, all else in base64.
func (p *jsonPrinter) opaque(b []byte) error {
	if len(b) == 0 {
		return errJSON
	}
	kind := Type(b[0])
	body, err := jsonLength(b[1:])
	if err != nil {
		return err
	}
	switch kind {
	case NewDecimal:
		return p.decimal(body)
	case Date, Time, Datetime, Timestamp:
		return p.when(kind, body)
	}
	p.out = append(p.out, `"base64:type`...)
	p.out = append(strconv.AppendUint(p.out, uint64(kind), 10), ':')
	p.out = base64.StdEncoding.AppendEncode(p.out, body)
	p.out = append(p.out, '"')
	return nil
}

func (p *jsonPrinter) decimal(b []byte) error {
	if len(b) < 3 || b[0] == 0 || b[1] > b[0] || b[0] > 81 || decimalBytes(int(b[0]), int(b[1])) != len(b)-2 {
		return errJSON
	}
	v, err := decimal(b[2:], int(b[0]), int(b[1]), p.memory)
	if err == nil {
		p.out = append(p.out, v.Ref()...)
	}
	return err
}

// when prints a time packed in 64 bits: the fraction in the lowest 24, above it what
// a DATETIME or TIME of the log holds.
func (p *jsonPrinter) when(kind Type, b []byte) error {
	if len(b) != 8 {
		return errJSON
	}
	n := int64(binary.LittleEndian.Uint64(b))
	negative := n < 0
	if negative {
		n = -n
	}
	micros, packed := n&(1<<24-1), n>>24
	p.out = append(p.out, '"')
	if kind == Time {
		if negative {
			p.out = append(p.out, '-')
		}
		p.padded(packed>>12&1023, 2)
	} else {
		ym := packed >> 22
		p.padded(ym/13, 4)
		p.out = append(p.out, '-')
		p.padded(ym%13, 2)
		p.out = append(p.out, '-')
		p.padded(packed>>17&31, 2)
	}
	if kind != Date {
		if kind != Time {
			p.out = append(p.out, ' ')
			p.padded(packed>>12&31, 2)
		}
		p.out = append(p.out, ':')
		p.padded(packed>>6&63, 2)
		p.out = append(p.out, ':')
		p.padded(packed&63, 2)
		p.out = append(p.out, '.')
		p.padded(micros, 6)
	}
	p.out = append(p.out, '"')
	return nil
}

func (p *jsonPrinter) padded(n int64, width int) {
	for limit := int64(10); width > 1; width, limit = width-1, limit*10 {
		if n < limit {
			for range width - 1 {
				p.out = append(p.out, '0')
			}
			break
		}
	}
	p.out = strconv.AppendInt(p.out, n, 10)
}

// appendDouble prints a double as the server prints one in JSON: the fewest digits
// that read back the same, an exponent from 15 places on, and a point always.
func appendDouble(dst []byte, f float64) []byte {
	var buf [32]byte
	e := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	if e[0] == '-' {
		dst, e = append(dst, '-'), e[1:]
	}
	var all [24]byte
	digits, at := append(all[:0], e[0]), 1
	if e[1] == '.' {
		for at = 2; e[at] != 'e'; at++ {
			digits = append(digits, e[at])
		}
	}
	exponent, err := strconv.Atoi(string(e[at+1:]))
	if err != nil {
		return append(dst, "null"...) // JSON of the server has neither NaN nor infinity
	}
	return placeDigits(dst, digits, exponent+1)
}

// placeDigits writes 0.digits × 10^point.
func placeDigits(dst, digits []byte, point int) []byte {
	const most = 15
	switch {
	case point > most || point <= -most:
		dst = append(dst, digits[0])
		if len(digits) > 1 {
			dst = append(append(dst, '.'), digits[1:]...)
		}
		return strconv.AppendInt(append(dst, 'e'), int64(point-1), 10)
	case point <= 0:
		dst = append(dst, "0."...)
		for range -point {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	case point >= len(digits):
		dst = append(dst, digits...)
		for range point - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, ".0"...)
	}
	return append(append(append(dst, digits[:point]...), '.'), digits[point:]...)
}
