package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// maxFaults is how often in a row the server may fail to decode without getting
// further. Most such errors pass: a spill file that was removed too early, a file
// handle that went stale, a machine without memory for a moment (P42).
const maxFaults = 12

// faults counts streams that the server ended by an error of its decoding, at the
// same place.
type faults struct {
	at    receivedLSN
	count int
}

// decoding reports whether the server failed to decode, rather than to be there.
func decoding(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Severity == "FATAL" {
		return false
	}
	switch class := pg.Code[:min(2, len(pg.Code))]; class {
	case "XX", "58", "22", "54", "42":
		return true
	}
	return false
}

// count counts err at a place, and refuses to go on when it has come too often.
func (f *faults) add(err error, at receivedLSN, c *Config) error {
	if !decoding(err) {
		return err
	}
	if at != f.at {
		f.at, f.count = at, 0
	}
	f.count++
	var pg *pgconn.PgError
	errors.As(err, &pg)
	r := &pipeline.Refusal{
		Code: CodeDecoding, Where: "slot " + c.Slot, What: "the server cannot decode its log behind " + lsn(at).String(), Err: pgsql.ServerError(pg),
		Mend: "look into the server's log for the cause; then start again\nor go on without what cannot be decoded: " + c.ResetCommand,
	}
	switch {
	case pg.Code == "22021" || pg.Code == "22P05": // P45
		r.Code, r.What = preflight.CodeEncoding, "the server cannot send a text as UTF-8"
		r.Mend = "exclude the table from the publication\nor mend the text in the database, and then: " + c.ResetCommand
	case tooLarge(err):
		r.Code, r.What = CodeTooLarge, "a row is larger than the server can send"
		r.Mend = "make the value smaller, then: " + c.ResetCommand
	case f.count < maxFaults:
		return err
	}
	return r
}

// lost reports whether the server says that a part of its log is gone for good.
func lost(code, text string) bool {
	return code == "55000" && (strings.Contains(text, "cannot read from logical replication slot") || strings.Contains(text, "can no longer")) ||
		code == "58P01" && strings.Contains(text, "removed")
}
