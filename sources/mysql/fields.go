package mysql

import (
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/arena"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// fieldValue reads column i of a row of an answer, which was asked for with the
// codec's Select.
func fieldValue(c *binlogvalue.Codec, i int, f *mysql.FieldValue, a *arena.Bytes) (schema.Value, error) {
	switch f.Type {
	case mysql.FieldValueTypeNull:
		return schema.Null(), nil
	case mysql.FieldValueTypeUnsigned:
		return c.Unsigned(i, f.AsUint64(), a), nil
	case mysql.FieldValueTypeSigned:
		return schema.Int(f.AsInt64()), nil
	case mysql.FieldValueTypeFloat:
		return c.Double(i, f.AsFloat64()), nil
	}
	return c.Text(i, f.AsString(), a)
}
