package mysql

import (
	"strconv"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// keyTerms are the key's columns as they are compared and ordered. An enum is ordered
// by number and compared by label, unless it is made a number.
func (s *shape) keyTerms() []string {
	var out []string
	for _, i := range s.table.Key {
		term := quoteName(s.columns[i].Name)
		if s.columns[i].Type == binlogvalue.Enum {
			term = "(" + term + " + 0)"
		}
		out = append(out, term)
	}
	return out
}

// losesKey reports whether several values of a key column may be one in a row: a date of
// zeros is the epoch there if zero_dates says so, and the number 0 of an enum an empty label.
func losesKey(t binlogvalue.Type) bool {
	switch t {
	case binlogvalue.Enum, binlogvalue.Date, binlogvalue.Datetime2, binlogvalue.Timestamp2:
		return true
	}
	return false
}

// keySQL is a row's key in the same terms. told are those that the server told behind it.
func (s *shape) keySQL(row schema.Row, told []mysql.FieldValue) ([]string, error) {
	var out []string
	for _, i := range s.table.Key {
		if losesKey(s.columns[i].Type) {
			out, told = append(out, termSQL(&told[0])), told[1:]
			continue
		}
		text, err := literal(&s.table.Columns[i].Type, row[i])
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// termSQL writes a number or a time as SQL.
func termSQL(f *mysql.FieldValue) string {
	switch f.Type {
	case mysql.FieldValueTypeUnsigned:
		return strconv.FormatUint(f.AsUint64(), 10)
	case mysql.FieldValueTypeSigned:
		return strconv.FormatInt(f.AsInt64(), 10)
	case mysql.FieldValueTypeFloat: // of an enum and 0, on some servers
		return strconv.FormatInt(int64(f.AsFloat64()), 10)
	}
	return quoteText(string(f.AsString()))
}
