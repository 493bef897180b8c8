package mysql

import (
	"errors"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// valueRefused tells of a value that cannot be kept, by its column and never by itself.
func valueRefused(c *Config, rel TableName, where string, err error) error {
	r := &pipeline.Refusal{Code: CodeValue, Where: rel.String(), What: "a row of " + where + " cannot be read", Err: err, Mend: c.again(rel, "correct the row, or exclude_tables: ["+rel.String()+"]")}
	if errors.Is(err, binlogvalue.ErrZeroDate) {
		r.Code, r.Mend = CodeZeroDate, c.again(rel, "zero_dates: epoch")
	}
	return r
}

// gtidOff tells of a server whose places do not survive a failover.
func gtidOff() *pipeline.Refusal {
	return &pipeline.Refusal{
		Code: CodeGTIDOff, What: "the server numbers no transactions (gtid_mode)",
		Mend: "SET PERSIST enforce_gtid_consistency = ON;\nSET PERSIST gtid_mode = OFF_PERMISSIVE;\nSET PERSIST gtid_mode = ON_PERMISSIVE;\nSET PERSIST gtid_mode = ON;",
	}
}

// isPassing reports whether an error is of the connection, or of a limit of the server, and
// not of the table.
func isPassing(err error) bool {
	switch serverCode(err) {
	case 0, 1040, 1053, 1077, 1079, 1317, lockTimeout: // shutdown, or killed
		return true
	case mysql.ER_USER_LIMIT_REACHED, mysql.ER_MAX_PREPARED_STMT_COUNT_REACHED:
		return true
	}
	switch pipeline.CodeOf(err) {
	case CodeConnect, CodeAuth, CodeConfig, CodeTLS:
		return true
	}
	return false
}
