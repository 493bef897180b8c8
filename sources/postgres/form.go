package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A form is how the stream sends values. It is one for all tables of a slot.
//
//	text ◄─── a type comes whose binary form is not read ─── binary
//	  └─── a value is too large to be printed ───► asked
type form uint8

const (
	formText   form = iota // as the server prints them
	formBinary             // as their types' send functions write them
	formAsked              // the same, and the server is asked what those mean that are not read here
)

// errForm ends a stream that has to go on in another form.
var errForm = errors.New("the stream goes on with values in another form")

// streamsBinary reports whether a table's values are read as a binary stream sends
// them. A type without a send function is sent as text there, but its arrays fail.
func (s *shape) streamsBinary() bool {
	return !slices.ContainsFunc(s.codecs, func(c pgvalue.Codec) bool {
		return !c.HasBinary() && (!c.Unsent || c.Op == pgvalue.Array)
	})
}

// firstForm chooses the form of the first stream.
func (s *Source) firstForm() form {
	switch {
	case s.version < 140000 || s.config.Text:
		return formText
	case s.config.ask:
		return formAsked
	case slices.ContainsFunc(s.shapes, func(sh *shape) bool { return !sh.streamsBinary() }):
		return formText
	}
	return formBinary
}

// reads reports with errForm that a table's rows need another form.
func (s *Source) reads(sh *shape) error {
	if s.form != formBinary || sh.streamsBinary() {
		return nil
	}
	s.form = formText
	s.config.Log.Info("the stream goes on with values as text", "table", sh.table.String(), "types", strings.Join(sh.opaque(), ", "))
	return errForm
}

// unprintable changes the form after an error that the server would repeat at this
// place of the log for ever. ok is false if no other form is left.
func (s *Source) unprintable(err error) (ok bool) {
	switch {
	case s.fellBack:
		return false // the other form had its own
	case s.form == formText && s.version >= 140000 && tooLarge(err):
		s.form = formAsked // P43: text doubles a bytea
	case s.form != formText && pgsql.State(err) == "42883":
		s.form = formText // a table that is published and not captured has values without a binary form
	default:
		return false
	}
	s.fellBack = true
	s.config.Log.Warn("the server cannot send a value; the stream goes on with values in another form", "error", err)
	return true
}

// tooLarge reports whether a value exceeded what one allocation of the server may
// have (P43).
func tooLarge(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "XX000" && strings.Contains(pg.Message, "invalid memory alloc request size") ||
		pg.Code == "54000" && strings.Contains(pg.Message, "string buffer")
}

// refusesEmpty knows the values that the server sends and does not take: the empty
// query, and the empty vectors of catalogs, whose text is empty.
func refusesEmpty(typ uint32, b []byte) bool {
	switch typ {
	case oidTSQuery:
		return string(b) == "\x00\x00\x00\x00"
	case oidInt2Vector, oidOIDVector:
		return len(b) <= 20 // the header of an array, and no element
	}
	return false
}

// ask lets the server print a value of a column of any type that it has sent in binary
// form.
func (s *Source) ask(sh *shape, col int, b []byte) (text []byte, err error) {
	typ := sh.columns[col].typ
	if refusesEmpty(typ, b) {
		return nil, nil
	}
	err = s.whileAlive(func(ctx context.Context) error {
		return s.side.use(ctx, func(conn *pgconn.PgConn) error {
			res := conn.ExecParams(ctx, "SELECT $1", [][]byte{b}, []uint32{typ}, []int16{1}, nil).Read()
			if res.Err == nil {
				text = res.Rows[0][0]
			}
			return res.Err
		})
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return nil, &pipeline.Refusal{
			Code: CodeValue, Where: sh.table.String(), What: "the server does not read its own value of column " + sh.table.Columns[col].Name, Err: pgsql.ServerError(pg),
			Mend: s.config.copyAgain(pgsql.TableName{Schema: sh.table.Schema, Name: sh.table.Name}),
		}
	}
	return text, err
}
