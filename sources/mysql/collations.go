package mysql

import (
	"context"

	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// collations are those that the server knows: the log names them by number.
type collations struct {
	byID   map[uint64]collation
	byName map[string]collation

	mariaDB  bool
	charsets *binlogvalue.Charsets
	unheard  map[string]bool // character sets that the server does not have
}

type collation struct {
	name    string
	charset string
	maxLen  int // most bytes of a character
}

// MariaDB's newer collations have a number for each character set they go with,
// under which the log names them.
const (
	collationsSQL = `SELECT c.ID, c.COLLATION_NAME, c.CHARACTER_SET_NAME, s.MAXLEN
FROM information_schema.COLLATIONS c JOIN information_schema.CHARACTER_SETS s ON s.CHARACTER_SET_NAME = c.CHARACTER_SET_NAME`
	fullCollationsSQL = `SELECT c.ID, c.FULL_COLLATION_NAME, c.CHARACTER_SET_NAME, s.MAXLEN
FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY c JOIN information_schema.CHARACTER_SETS s ON s.CHARACTER_SET_NAME = c.CHARACTER_SET_NAME`
	hasFullSQL = `SELECT count(*) FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = 'COLLATION_CHARACTER_SET_APPLICABILITY' AND COLUMN_NAME = 'FULL_COLLATION_NAME'`
)

func loadCollations(ctx context.Context, s *session) (*collations, error) {
	full, err := s.query(ctx, hasFullSQL)
	if err != nil {
		return nil, err
	}
	sql := collationsSQL
	if full.int(0, 0) > 0 {
		sql = fullCollationsSQL
	}
	rows, err := s.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	c := &collations{byID: map[uint64]collation{}, byName: map[string]collation{}, mariaDB: s.mariaDB, charsets: binlogvalue.NewCharsets(), unheard: map[string]bool{}}
	for i := range rows {
		x := collation{name: rows.text(i, 1), charset: rows.text(i, 2), maxLen: rows.int(i, 3)}
		c.byID[uint64(rows.int(i, 0))], c.byName[x.name] = x, x
	}
	return c, nil
}

// apply sets what a column's collation says. One that the server does not know is
// told by its character set later, as one that cannot be read.
func (c *collations) apply(col *binlogvalue.Column, id uint64) {
	x, ok := c.byID[id]
	switch {
	case !ok:
		col.Charset = "unknown"
	case x.charset == "binary":
		col.Charset, col.Collate, col.MaxLen = "", "", 0
	default:
		col.Charset, col.Collate, col.MaxLen = x.charset, x.name, x.maxLen
	}
}
