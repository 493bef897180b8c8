package postgres

import (
	"context"
	"io"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// A lineReader gives rows of a buffer as the lines of COPY's text format, about a
// block at a time. What stands before a row's values is written by lead.
type lineReader struct {
	buffer  *buffer
	rows    []entry
	columns int
	lead    func(dst []byte, e *entry) []byte // nil: nothing
	key     []int                             // the columns that a row that is gone has; nil: none is
	block   []byte
	at      int // what of block was read
}

const copyBlock = 64 << 10

// Read implements io.Reader.
func (r *lineReader) Read(p []byte) (int, error) {
	if r.at == len(r.block) {
		r.block, r.at = r.block[:0], 0
		for len(r.rows) > 0 && len(r.block) < copyBlock {
			r.line(&r.rows[0])
			r.rows = r.rows[1:]
		}
		if len(r.block) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, r.block[r.at:])
	r.at += n
	return n, nil
}

func (r *lineReader) line(e *entry) {
	if r.lead != nil {
		r.block = r.lead(r.block, e)
	}
	if e.gone {
		r.block = appendGone(r.block, r.buffer.keyOf(e), r.columns, r.key)
	} else {
		r.block = appendLine(r.block, r.buffer.data[e.row:e.end], r.columns)
	}
	r.block[len(r.block)-1] = '\n' // in place of the last tab
}

// appendLine writes each value and a tab.
func appendLine(dst, row []byte, columns int) []byte {
	for range columns {
		text, isNull, rest, _ := nextValue(row)
		dst, row = appendField(dst, text, isNull), rest
	}
	return dst
}

// appendGone writes the key where its columns are, and NULL elsewhere.
func appendGone(dst, key []byte, columns int, at []int) []byte {
	values := make([][]byte, columns)
	for _, i := range at {
		text, isNull, rest, _ := nextValue(key)
		if key = rest; !isNull {
			values[i] = text // not nil, also if it is empty
		}
	}
	for _, v := range values {
		dst = appendField(dst, v, v == nil)
	}
	return dst
}

func appendField(dst, text []byte, isNull bool) []byte {
	if isNull {
		return append(dst, `\N`+"\t"...)
	}
	from := 0
	for i, c := range text {
		var escaped byte
		switch c {
		case '\\':
			escaped = '\\'
		case '\n':
			escaped = 'n'
		case '\r':
			escaped = 'r'
		case '\t':
			escaped = 't'
		default:
			continue
		}
		dst = append(append(dst, text[from:i]...), '\\', escaped)
		from = i + 1
	}
	return append(append(dst, text[from:]...), '\t')
}

// appendPlace writes where a row came from.
func appendPlace(dst []byte, e *entry) []byte {
	dst = append(strconv.AppendInt(dst, int64(e.partition), 10), '\t')
	return append(strconv.AppendUint(dst, e.offset, 10), '\t')
}

// copyIn sends lines to the server. Behind its return nobody reads r.
func copyIn(ctx context.Context, conn *pgconn.PgConn, r io.Reader, into, columns string) error {
	lines := &lent{from: r}
	defer lines.takeBack()
	_, err := conn.CopyFrom(ctx, lines, "COPY "+into+" ("+columns+") FROM STDIN")
	return err
}
