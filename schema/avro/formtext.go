package avro

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/evertdb/evert/schema"
)

// errForm says that a text is not what its type prints.
var errForm = errors.New("the text is not what its type prints")

// appendForm writes a text as what it stands for.
func (c *cell) appendForm(dst, text []byte) ([]byte, error) {
	switch c.op {
	case opBit:
		if len(text) != 1 || text[0]>>1 != '0'>>1 {
			return dst, errForm
		}
		return append(dst, text[0]-'0'), nil
	case opBits:
		return appendBits(dst, text, c.scale)
	case opNumber:
		n, err := strconv.ParseUint(string(text), 10, 32)
		if err != nil {
			return dst, errForm
		}
		return appendLong(dst, int64(n)), nil
	case opMoney:
		number := schema.Decimal(plainMoney(text))
		return c.elem.append(dst, &number)
	case opZonedTime:
		return appendBytes(dst, isoOffset(text)), nil
	case opHStore, opHStoreMap:
		return c.appendHStore(dst, text)
	}
	return appendPoint(dst, text)
}

// readForm reads what appendForm wrote, as the text that the source printed.
func (c *cell) readForm(r *reader, a *Arena) schema.Value {
	from := len(a.bytes)
	switch c.op {
	case opBit:
		a.bytes = append(a.bytes, '0'+r.byte()&1)
	case opBits:
		readBits(r, a, c.scale)
	case opNumber:
		a.bytes = strconv.AppendInt(a.bytes, r.long(), 10)
	case opMoney:
		v := c.elem.read(r, a)
		number := string(v.Ref())
		a.bytes = appendMoney(a.bytes[:from], number)
	case opZonedTime:
		a.bytes = append(a.bytes, printedOffset(r.bytes())...)
	case opHStore:
		a.bytes = readHStore(r, a.bytes)
	case opHStoreMap:
		a.bytes = readHStoreMap(r, a.bytes)
	default:
		a.bytes = readPoint(r, a.bytes)
	}
	if !r.expand(len(a.bytes) - from) {
		return schema.Null()
	}
	return schema.Text(a.since(from))
}

// appendBits writes n zeros and ones as bytes, as Debezium does: the last digit is
// the lowest bit of the first byte.
func appendBits(dst, text []byte, n int) ([]byte, error) {
	if len(text) != n {
		return dst, errForm
	}
	dst = appendLong(dst, int64((n+7)/8))
	for low := 0; low < n; low += 8 {
		var b byte
		for i := low; i < min(low+8, n); i++ {
			digit := text[n-1-i] - '0'
			if digit > 1 {
				return dst, errForm
			}
			b |= digit << (i - low)
		}
		dst = append(dst, b)
	}
	return dst, nil
}

func readBits(r *reader, a *Arena, n int) {
	b := r.bytes()
	if len(b) != (n+7)/8 {
		r.fail(errValue)
		return
	}
	for i := n - 1; i >= 0; i-- {
		a.bytes = append(a.bytes, '0'+b[i/8]>>(i%8)&1)
	}
}

// plainMoney takes the signs of the C locale out of money: -$1,234.56.
func plainMoney(text []byte) []byte {
	return bytes.Map(func(c rune) rune {
		if c == '$' || c == ',' {
			return -1
		}
		return c
	}, text)
}

// appendMoney puts them in again.
func appendMoney(dst []byte, number string) []byte {
	number, minus := strings.CutPrefix(number, "-")
	if minus {
		dst = append(dst, '-')
	}
	whole, frac, _ := strings.Cut(number, ".")
	dst = append(dst, '$')
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, whole[i])
	}
	return append(append(dst, '.'), frac...)
}

// isoOffset gives the offset of a zoned time the minutes that ISO 8601 asks for.
func isoOffset(text []byte) []byte {
	if n := len(text) - 3; n > 0 && (text[n] == '+' || text[n] == '-') {
		return append(bytes.Clone(text), ":00"...)
	}
	return text
}

// printedOffset takes them away again.
func printedOffset(iso []byte) []byte {
	if n := len(iso) - 6; n > 0 && (iso[n] == '+' || iso[n] == '-') && string(iso[n+3:]) == ":00" {
		return iso[:n+3]
	}
	return iso
}

// appendPoint writes Debezium's record of a point: x, y, both again as well-known
// binary, and no reference system.
func appendPoint(dst, text []byte) ([]byte, error) {
	inner, ok := bytes.CutPrefix(text, []byte{'('})
	inner, closed := bytes.CutSuffix(inner, []byte{')'})
	left, right, comma := bytes.Cut(inner, []byte{','})
	x, err := strconv.ParseFloat(string(left), 64)
	y, err2 := strconv.ParseFloat(string(right), 64)
	if !ok || !closed || !comma || err != nil || err2 != nil {
		return dst, errForm
	}
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, math.Float64bits(x))
	dst = le.AppendUint64(dst, math.Float64bits(y))
	dst = append(dst, 2, 21<<1, 1, 1, 0, 0, 0) // little-endian, a point
	dst = le.AppendUint64(dst, math.Float64bits(x))
	dst = le.AppendUint64(dst, math.Float64bits(y))
	return append(dst, 0), nil
}

func readPoint(r *reader, dst []byte) []byte {
	double := schema.Type{Kind: schema.KindFloat, Bits: 64}
	dst = double.AppendText(append(dst, '('), schema.Float(readDouble(r)))
	dst = double.AppendText(append(dst, ','), schema.Float(readDouble(r)))
	if r.long() == 1 {
		r.bytes()
	}
	if r.long() == 1 {
		r.int()
	}
	return append(dst, ')')
}

// appendHStore writes the pairs of an hstore, in their order, as an object of JSON
// or a map of Avro.
func (c *cell) appendHStore(dst, text []byte) ([]byte, error) {
	pairs, err := hstorePairs(text)
	if err != nil {
		return dst, err
	}
	if c.op == opHStoreMap {
		return appendHStoreMap(dst, pairs), nil
	}
	object := []byte{'{'}
	for i, p := range pairs {
		if i > 0 {
			object = append(object, ',')
		}
		object = append(schema.AppendJSONString(object, p.key), ':')
		if p.value == nil {
			object = append(object, "null"...)
			continue
		}
		object = schema.AppendJSONString(object, *p.value)
	}
	return appendBytes(dst, append(object, '}')), nil
}

func appendHStoreMap(dst []byte, pairs []hstorePair) []byte {
	if len(pairs) > 0 {
		dst = appendLong(dst, int64(len(pairs)))
	}
	for _, p := range pairs {
		dst = appendString(dst, p.key)
		if p.value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = appendString(append(dst, 2), *p.value)
	}
	return append(dst, 0)
}

// An hstorePair is a key and its value, nil for NULL.
type hstorePair struct {
	key   string
	value *string
}

// hstorePairs takes hstore_out's text apart: "key"=>"value", "key"=>NULL.
func hstorePairs(text []byte) (pairs []hstorePair, err error) {
	for len(text) > 0 {
		var p hstorePair
		var ok, arrow, comma bool
		p.key, text, ok = hstoreWord(text)
		text, arrow = bytes.CutPrefix(text, []byte("=>"))
		if rest, null := bytes.CutPrefix(text, []byte("NULL")); null {
			text = rest
		} else {
			value, rest, quoted := hstoreWord(text)
			p.value, text, ok = &value, rest, ok && quoted
		}
		if !ok || !arrow {
			return nil, errForm
		}
		pairs = append(pairs, p)
		if len(text) == 0 {
			break
		}
		if text, comma = bytes.CutPrefix(text, []byte(", ")); !comma || len(text) == 0 {
			return nil, errForm
		}
	}
	return pairs, nil
}

// hstoreWord takes a quoted word off the front.
func hstoreWord(text []byte) (word string, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return "", text, false
	}
	var out []byte
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return string(out), text[i+1:], true
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		out = append(out, text[i])
	}
	return "", text, false
}

func readHStore(r *reader, dst []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(r.bytes()))
	open, err := d.Token()
	if r.err != nil || err != nil || open != json.Delim('{') {
		r.fail(errValue)
		return dst
	}
	for n := 0; d.More(); n++ {
		key, err := d.Token()
		value, err2 := d.Token()
		word, isText := key.(string)
		if err != nil || err2 != nil || !isText {
			r.fail(errValue)
			return dst
		}
		dst = appendHStorePair(dst, n, word)
		switch v := value.(type) {
		case nil:
			dst = append(dst, "NULL"...)
		case string:
			dst = appendHStoreWord(dst, v)
		default:
			r.fail(errValue)
		}
	}
	if _, err := d.Token(); err != nil {
		r.fail(errValue)
	} else if _, err := d.Token(); err != io.EOF {
		r.fail(errValue)
	}
	return dst
}

func readHStoreMap(r *reader, dst []byte) []byte {
	n := 0
	for left := r.block(); left > 0; left = r.block() {
		for range left {
			dst = appendHStorePair(dst, n, string(r.bytes()))
			n++
			switch r.long() {
			case 0:
				dst = append(dst, "NULL"...)
			case 1:
				dst = appendHStoreWord(dst, string(r.bytes()))
			default:
				r.fail(errBranch)
			}
			if r.err != nil {
				return dst
			}
		}
	}
	return dst
}

func appendHStorePair(dst []byte, n int, key string) []byte {
	if n > 0 {
		dst = append(dst, ", "...)
	}
	return append(appendHStoreWord(dst, key), "=>"...)
}

func appendHStoreWord(dst []byte, word string) []byte {
	dst = append(dst, '"')
	for i := range len(word) {
		if word[i] == '"' || word[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, word[i])
	}
	return append(dst, '"')
}
