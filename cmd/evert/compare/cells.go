package compare

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A row is its columns' texts:
//
//	row  = cell*
//	cell = 0                                      NULL
//	     | length+1:uvarint ( text | SHA-256 )    the latter of a long text, where rows are Brief

// longText is the least length of a text that is long, in bytes: a comparison holds
// many rows, and their texts are compared for equality alone.
const longText = 1 << 20

// AppendCell appends a column's text; nil is NULL.
func (c *Columns) AppendCell(dst, text []byte) []byte {
	if text == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(text))+1)
	if c.Brief && len(text) >= longText {
		sum := sha256.Sum256(text)
		return append(dst, sum[:]...)
	}
	return append(dst, text...)
}

// AppendValue appends a column's value as the database prints it.
func (c *Columns) AppendValue(dst []byte, t *schema.Type, v schema.Value, scratch []byte) (row, memory []byte) {
	if v.IsNull() || !v.IsKnown() {
		return c.AppendCell(dst, nil), scratch
	}
	scratch = t.AppendText(scratch[:0], v)
	if scratch == nil {
		scratch = []byte{}
	}
	return c.AppendCell(dst, scratch), scratch
}

// AppendLarge appends a text, byte string or JSON of a column that is not in memory, and
// does not come there, for rows that are Brief. Of any other type it is the text that is
// read.
func (c *Columns) AppendLarge(dst []byte, t *schema.Type, a pipeline.Aside) ([]byte, error) {
	size := a.Size()
	if t.Kind == schema.KindBytes {
		size = 2 + 2*size
	}
	if size < longText {
		v, err := a.Load()
		if err != nil {
			return nil, err
		}
		dst, _ = c.AppendValue(dst, t, v, nil)
		return dst, nil
	}
	sum, err := sumOfText(t, a)
	return append(binary.AppendUvarint(dst, uint64(size)+1), sum...), err
}

// sumOfText is the SHA-256 of the text of a value.
func sumOfText(t *schema.Type, a pipeline.Aside) ([]byte, error) {
	r, err := a.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	sum := sha256.New()
	to := io.Writer(sum)
	if t.Kind == schema.KindBytes {
		_, _ = sum.Write([]byte(`\x`)) // a hash takes everything
		to = hex.NewEncoder(sum)
	}
	_, err = io.Copy(to, r)
	return sum.Sum(nil), err
}

// cutCell takes the first cell off a row.
func cutCell(row []byte) (text []byte, null bool, rest []byte) {
	n, w := binary.Uvarint(row)
	if n == 0 || w <= 0 {
		return nil, true, row[max(w, 1):]
	}
	end := w + int(n) - 1
	return row[w:end], false, row[end:]
}

// SameTexts reports whether two rows have the same texts.
func SameTexts(a, b []byte) bool { return bytes.Equal(a, b) }

// SameValues reports whether two rows that are not Brief have equal values, as their types say it:
// numerics of another scale and documents that are spelled otherwise are equal,
// and so are floats that agree in nine digits, because a database's sums of
// floats depend on the order in which it read the rows.
func (c *Columns) SameValues(a, b []byte) bool {
	for i := range c.Columns {
		if len(a) == 0 || len(b) == 0 {
			return len(a) == len(b)
		}
		var left, right []byte
		var leftNull, rightNull bool
		left, leftNull, a = cutCell(a)
		right, rightNull, b = cutCell(b)
		if leftNull != rightNull || !leftNull && !sameValue(&c.Columns[i].Type, left, right) {
			return false
		}
	}
	return true
}

func sameValue(t *schema.Type, a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	switch t.Kind {
	case schema.KindDecimal:
		return normal(string(a)) == normal(string(b))
	case schema.KindFloat:
		x, err1 := strconv.ParseFloat(string(a), 64)
		y, err2 := strconv.ParseFloat(string(b), 64)
		return err1 == nil && err2 == nil && math.Abs(x-y) <= 1e-9*math.Max(math.Abs(x), math.Abs(y))
	case schema.KindJSON:
		return sameJSON(a, b)
	}
	return false
}

// normal writes a decimal without needless zeros.
func normal(text string) string {
	if strings.ContainsAny(text, "eE") {
		return text // none that a database prints as numeric
	}
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// sameJSON compares two documents token by token; the order of keys counts, as
// jsonb has one.
func sameJSON(a, b []byte) bool {
	left, right := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	left.UseNumber()
	right.UseNumber()
	for {
		x, err1 := left.Token()
		y, err2 := right.Token()
		if err1 != nil || err2 != nil {
			return err1 == io.EOF && err2 == io.EOF
		}
		if m, ok := x.(json.Number); ok {
			n, ok := y.(json.Number)
			if !ok || normal(m.String()) != normal(n.String()) {
				return false
			}
			continue
		}
		if x != y {
			return false
		}
	}
}
