package pgvalue

import (
	"strconv"

	"github.com/evertdb/evert/schema"
)

// printed is a text value with bytes of its own.
func (r *Reader) printed(text []byte) schema.Value { return schema.Text(r.utf8(text)) }

// printFixed gives the text of types of fixed width that are carried as the
// server prints them.
func (r *Reader) printFixed(op Op, b []byte) (schema.Value, error) {
	out := r.packed[:0]
	switch {
	case op == OID && len(b) == 4:
		out = strconv.AppendUint(out, uint64(be.Uint32(b)), 10)
	case op == XID8 && len(b) == 8:
		out = strconv.AppendUint(out, be.Uint64(b), 10)
	case op == LSN && len(b) == 8:
		out = appendHex(append(appendHex(out, be.Uint32(b)), '/'), be.Uint32(b[4:]))
	case op == Money && len(b) == 8:
		out = appendMoney(out, int64(be.Uint64(b)))
	case op == TimeTZ && len(b) == 12 && be.Uint64(b) <= microsPerDay:
		out = appendZone(schema.AppendTimeOfDay(out, int64(be.Uint64(b))), int64(int32(be.Uint32(b[8:]))))
	default:
		return schema.Value{}, malformed(op, len(b))
	}
	r.packed = out
	return r.printed(out), nil
}

func appendHex(dst []byte, n uint32) []byte {
	from := len(dst)
	dst = strconv.AppendUint(dst, uint64(n), 16)
	for i := from; i < len(dst); i++ {
		if dst[i] >= 'a' {
			dst[i] -= 'a' - 'A'
		}
	}
	return dst
}

// appendMoney prints hundredths as cash_out does with lc_monetary C: -$1,234.56.
func appendMoney(dst []byte, cents int64) []byte {
	size := uint64(cents)
	if cents < 0 {
		dst, size = append(dst, '-'), -size
	}
	dst = append(dst, '$')
	whole := strconv.AppendUint(nil, size/100, 10)
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c)
	}
	return append(dst, '.', byte('0'+size/10%10), byte('0'+size%10))
}

// appendZone prints a time zone, in seconds west of Greenwich: +05:30.
func appendZone(dst []byte, west int64) []byte {
	sign, size := byte('+'), -west
	if west > 0 {
		sign, size = '-', west
	}
	dst = pad2(append(dst, sign), size/3600)
	if size%3600 != 0 {
		dst = pad2(append(dst, ':'), size/60%60)
	}
	if size%60 != 0 {
		dst = pad2(append(dst, ':'), size%60)
	}
	return dst
}

func pad2(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }
