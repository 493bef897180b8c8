package avro

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/evertdb/evert/schema"
)

// read decodes one value. After an error in r its result means nothing.
func (c *cell) read(r *reader, a *Arena) schema.Value {
	if c.null != notNull {
		switch r.long() {
		case int64(c.null):
			return schema.Null()
		case int64(1 - c.null):
		default:
			r.fail(errBranch)
			return schema.Null()
		}
	}
	switch c.op {
	case opString:
		if c.kind == schema.KindJSON {
			return schema.JSON(r.bytes())
		}
		return schema.Text(r.bytes())
	case opBytes:
		return schema.Bytes(r.bytes())
	case opLong:
		return schema.Int(r.long())
	case opInt:
		return schema.Int(r.int())
	case opBool:
		return schema.Bool(r.byte() != 0)
	case opDouble:
		return schema.Float(readDouble(r))
	case opFloat:
		return schema.Float(readFloat(r))
	}
	return c.readRich(r, a)
}

// readRich decodes the values that need work.
func (c *cell) readRich(r *reader, a *Arena) schema.Value {
	switch c.op {
	case opDate:
		return schema.Date(int32(r.int()))
	case opTimeMillis:
		return readTime(r, r.int(), 1000, 1)
	case opTimeMicros:
		return readTime(r, r.long(), 1, 1)
	case opTimeNanos:
		return readTime(r, r.long(), 1, 1000)
	case opStampMillis, opStampMicros, opStampNanos:
		return c.readStamp(r)
	case opZoned:
		micros, ok := parseZoned(r.bytes())
		if !ok {
			r.fail(errValue)
		}
		return schema.Timestamp(micros)
	case opUUID:
		return readUUID(r, a)
	case opSpan:
		return readSpan(r, a)
	case opISODate, opISOTime, opISOStamp:
		return c.readISO(r)
	case opDecimal:
		return readDecimal(r, a, r.bytes(), c.scale, "NaN")
	case opVariableDecimal:
		return readVariableDecimal(r, a)
	case opArray:
		return c.readArray(r, a)
	}
	return c.readHandled(r, a)
}

func readDouble(r *reader) float64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func readFloat(r *reader) float64 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
}

// readTime makes a time of n units, each of up micros or a down-th of one. From MySQL
// it may be a duration. What is finer than a microsecond is refused.
func readTime(r *reader, n, up, down int64) schema.Value {
	if most := schema.MaxDuration * down / up; n > most || n < -most || n%down != 0 {
		r.fail(errValue)
		return schema.Null()
	}
	return schema.Time(n * up / down)
}

// readUUID reads the canonical form into 16 bytes of the arena.
func readUUID(r *reader, a *Arena) schema.Value {
	text := r.bytes()
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' || !r.expand(16) {
		r.fail(errValue)
		return schema.Null()
	}
	from := len(a.bytes)
	for _, part := range [...][]byte{text[:8], text[9:13], text[14:18], text[19:23], text[24:]} {
		longer, err := hex.AppendDecode(a.bytes, part)
		if err != nil {
			r.fail(errValue)
			return schema.Null()
		}
		a.bytes = longer
	}
	return schema.UUID(a.since(from))
}

// readArray packs the elements as schema.Array holds them: their number first,
// which is known only at the end, so they gather in the arena's scratch space.
func (c *cell) readArray(r *reader, a *Arena) schema.Value {
	a.scratch = a.scratch[:0]
	count := uint64(0)
	for n := r.block(); n > 0; n = r.block() {
		for range n {
			e := c.elem.read(r, a)
			before := len(a.scratch)
			if r.err != nil {
				return schema.Null()
			}
			a.scratch = schema.AppendElement(a.scratch, e)
			if !r.expand(len(a.scratch) - before) {
				return schema.Null()
			}
		}
		count += uint64(n)
	}
	from := len(a.bytes)
	a.bytes = binary.AppendUvarint(a.bytes, count)
	a.bytes = append(a.bytes, a.scratch...)
	return schema.Array(a.since(from))
}
