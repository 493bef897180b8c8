package intaketest

import (
	"encoding/binary"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// Tables are what a database holds: the rows of each table, by its name.
type Tables map[string]Rows

// Rows are those of one table, by the text of their keys.
type Rows map[string]schema.Row

// KeyText names a row of ints and texts by the values in the columns of its key.
func KeyText(row schema.Row, key []int) string {
	var b []byte
	for _, i := range key {
		b = AppendValue(b, row[i])
	}
	return string(b)
}

// AppendValue writes an int, a text or NULL so that what comes behind it cannot be
// taken for a part of it.
func AppendValue(b []byte, v schema.Value) []byte {
	switch v.Kind() {
	case schema.KindInt:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v.Int()))
	case schema.KindText:
		b = binary.BigEndian.AppendUint32(append(b, 't'), uint32(len(v.Ref())))
		return append(b, v.Ref()...)
	}
	return append(b, 'n')
}

// follow does to the rows what a change says.
func (r Rows) follow(c *pipeline.Change) {
	if c.Before != nil {
		delete(r, KeyText(c.Before, c.Table.Key))
	}
	if c.After != nil {
		r[KeyText(c.After, c.Table.Key)] = c.After
	}
	if c.Op == pipeline.Truncate {
		clear(r)
	}
}
