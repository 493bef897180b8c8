package postgres

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// names are those that the captured tables' rows were handed over under, by OID.
// They lie in Resume.State: a table keeps its OID when it is renamed or moved to
// another schema, and its rows would go on in another topic, without those of
// before (I8). It is immutable.
type names map[uint32]pgsql.TableName

// pack writes n, tables by OID, compressed:
//
//	{ oid uvarint · length uvarint · schema · length uvarint · name }
func (n names) pack() []byte {
	if len(n) == 0 {
		return nil
	}
	var b []byte
	for _, oid := range slices.Sorted(maps.Keys(n)) {
		b = binary.AppendUvarint(b, uint64(oid))
		for _, s := range []string{n[oid].Schema, n[oid].Name} {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
	}
	return deflated(b)
}

var errNames = errors.New("the names of its tables are damaged")

// unpackNames reads what pack wrote.
func unpackNames(packed []byte) (names, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	r, err := openKept(packed)
	if err != nil {
		return nil, errNames
	}
	out := names{}
	for len(r.b) > 0 {
		oid := uint32(r.uint())
		out[oid] = pgsql.TableName{Schema: r.text(), Name: r.text()}
	}
	if r.bad {
		return nil, errNames
	}
	return out, nil
}

func (c *Config) captures(name pgsql.TableName) bool {
	wanted, _ := c.wants(name)
	return wanted
}

// renamed refuses a table that goes on under another name. It cannot be renamed
// back if one of the tables has its name now.
func (c *Config) renamed(before, now pgsql.TableName, tables []*tableInfo) *pipeline.Refusal {
	mend := renameBack(before, now) + "\n" + c.copyAgain(before) + "\nor " + c.ResetCommand
	if slices.ContainsFunc(tables, func(t *tableInfo) bool { return t.TableName == before }) {
		mend = c.copyAgain(before)
	}
	return &pipeline.Refusal{
		Code: CodeTableRenamed, Where: before.Schema + "." + before.Name,
		What: "it was renamed to " + now.Schema + "." + now.Name + ": its topic would get no more rows, and one of the new name would lack those of before",
		Mend: mend,
	}
}

// renameBack is in one line, so that nobody sees a step of it.
func renameBack(before, now pgsql.TableName) string {
	var sql string
	if now.Schema != before.Schema {
		sql = "ALTER TABLE " + now.SQL() + " SET SCHEMA " + pgsql.QuoteIdent(before.Schema) + ";"
		now.Schema = before.Schema
	}
	if now.Name == before.Name {
		return sql
	}
	if sql != "" {
		sql += " "
	}
	return sql + "ALTER TABLE " + now.SQL() + " RENAME TO " + pgsql.QuoteIdent(before.Name) + ";"
}
