package pgsql

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Rows are those of a small result, their columns in text form; NULL is nil. They
// belong to the caller.
type Rows [][][]byte

// Text gives a column of a row; empty if there is none, or NULL.
func (r Rows) Text(row, col int) string {
	if row >= len(r) || col >= len(r[row]) {
		return ""
	}
	return string(r[row][col])
}

// An Ask asks one statement with text parameters, on a connection that whoever gives it
// sees to.
type Ask func(ctx context.Context, sql string, args ...string) (Rows, error)

// Query runs one statement with text parameters by the extended protocol.
func Query(ctx context.Context, conn *pgconn.PgConn, sql string, args ...string) (Rows, error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = []byte(a)
	}
	res := conn.ExecParams(ctx, sql, params, nil, nil, nil).Read()
	return res.Rows, res.Err
}

// SimpleQuery runs one command by the simple protocol, the only one that a
// replication connection speaks.
func SimpleQuery(ctx context.Context, conn *pgconn.PgConn, sql string) (Rows, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	return results[len(results)-1].Rows, nil
}

// A Record reads the columns of one row from left to right, each once. NULL counts as
// the zero of what is asked for; to ask for more columns than there are panics.
type Record struct {
	Cols [][]byte
	at   int
}

// Text reads a column as it was printed.
func (r *Record) Text() string {
	r.at++
	return string(r.Cols[r.at-1])
}

// Bool reads a boolean.
func (r *Record) Bool() bool { return r.Text() == "t" }

// Int reads a whole number of up to 64 bits.
func (r *Record) Int() int64 {
	n, _ := strconv.ParseInt(r.Text(), 10, 64) // NULL and absent count as 0
	return n
}

// Seconds reads a whole number of seconds.
func (r *Record) Seconds() time.Duration { return time.Duration(r.Int()) * time.Second }

// OID reads the number of an object of the catalog.
func (r *Record) OID() uint32 { return uint32(r.Int()) }

// OIDList writes a parameter of type oid[].
func OIDList(oids []uint32) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, o := range oids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(o), 10))
	}
	b.WriteByte('}')
	return b.String()
}
