package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
)

// serverError leaves out what a server's answer may hold of rows: detail and
// context; and the message where that quotes a value.
func serverError(pg *pgconn.PgError) error {
	if quotesValue(pg.Code) {
		return fmt.Errorf("SQLSTATE %s", pg.Code)
	}
	return fmt.Errorf("%s (SQLSTATE %s)", pg.Message, pg.Code)
}

// quotesValue: a data exception's message shows the data, and a trigger's says
// whatever its author wrote.
func quotesValue(code string) bool {
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "P0")
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// concernsRow reports whether the server refused a statement because of what a
// row holds (S13), and not because of its own condition.
func concernsRow(err error) bool {
	code := sqlState(err)
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "22", "23", "44", "P0":
		return true
	}
	return code == "54000" // an index row that is too large
}

// passesByItself reports whether the whole transaction is worth trying again at
// once (S11).
func passesByItself(err error) bool {
	code := sqlState(err)
	return code == "40001" || code == "40P01"
}

// passing words an error of the server or of the connection. What is wrong for
// long, and by whom it is mended, has a code of its own; the rest passes.
func passing(doing string, err error) error {
	var pg *pgconn.PgError
	var told *pipeline.Refusal
	var renew *deliver.Renewal
	switch {
	case err == nil, errors.As(err, &told), errors.As(err, &renew):
		return err
	case lost(err):
		return &pipeline.Refusal{Code: CodeConnect, What: doing + ": the connection was lost", Err: err, Mend: "nothing has to be done here; see that the server runs and can be reached"}
	case !errors.As(err, &pg):
		return fmt.Errorf("%s: %w", doing, err)
	}
	r := &pipeline.Refusal{What: doing, Err: serverError(pg)}
	switch {
	case pg.Code == "42501":
		r.Code, r.Mend = CodeRight, "evert check --connect   # prints the statements that grant what is missing"
	case pg.Code == "25006":
		r.Code, r.Mend = CodeStandby, "name all servers in the url, and ?target_session_attrs=read-write"
	case pg.Code == "55P03", strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "57"), strings.HasPrefix(pg.Code, "58"), passesByItself(err):
		r.Code, r.Mend = CodeBusy, "see what the server waits for, or has too little of: SELECT pid, state, wait_event, query FROM pg_stat_activity"
	default:
		return fmt.Errorf("%s: %w", doing, serverError(pg))
	}
	return r
}

// lost reports whether there is no connection any more.
func lost(err error) bool {
	var network net.Error
	return errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || strings.HasSuffix(err.Error(), "conn closed") // pgconn has no value for it
}

// gone reports whether a table or column is not there that we know, or not of the
// type that we know.
func gone(err error) bool {
	code := sqlState(err)
	return code == "42P01" || code == "42703" || code == "42804"
}
