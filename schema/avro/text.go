package avro

import (
	"fmt"
	"strings"

	"github.com/evertdb/evert/schema"
)

// keyText gives the schema of t's keys and the cells of its fields.
func keyText(t *schema.Table, o *Options, names []string) (string, []cell, error) {
	return (&dialect{envelope: o.Envelope, handling: o.Handling, key: true}).keyText(t, o, names)
}

func (d *dialect) keyText(t *schema.Table, o *Options, names []string) (string, []cell, error) {
	fields, cells := make([]string, len(t.Key)), make([]cell, len(t.Key))
	for i, col := range t.Key {
		var err error
		if fields[i], cells[i], err = d.field(&t.Columns[col], names[col]); err != nil {
			return "", nil, columnError(t, col, err)
		}
	}
	return record("Key", namespace(o.Topic), fields, ""), cells, nil
}

// rowText gives the record of t's rows and the cells of its fields.
func rowText(t *schema.Table, o *Options, names []string) (string, []cell, error) {
	return (&dialect{envelope: o.Envelope, handling: o.Handling}).rowText(t, o, names)
}

func (d *dialect) rowText(t *schema.Table, o *Options, names []string) (string, []cell, error) {
	fields, cells := make([]string, len(t.Columns)), make([]cell, len(t.Columns))
	for i := range t.Columns {
		var err error
		if fields[i], cells[i], err = d.field(&t.Columns[i], names[i]); err != nil {
			return "", nil, columnError(t, i, err)
		}
	}
	origin := encoded(tableProps{Schema: t.Schema, Name: t.Name})
	return record("Value", namespace(o.Topic), fields, fmt.Sprintf(`,%q:%s`, propTable, origin)), cells, nil
}

// field gives one column's field, a union with null if it is nullable.
func (d *dialect) field(c *schema.Column, name string) (string, cell, error) {
	text, cell, err := d.typ(&c.Type)
	if err != nil {
		return "", cell, err
	}
	extra := ""
	if c.Nullable {
		cell.null = 0
		text, extra = `["null",`+text+`]`, `,"default":null`
	}
	if !d.key {
		extra += fmt.Sprintf(`,%q:%s,%q:%s`, propType, quoted(c.Type.Name), propColumn, d.propsOf(c, name))
	}
	return fmt.Sprintf(`{"name":%q,"type":%s%s}`, name, text, extra), cell, nil
}

// record gives a record named as Connect names it.
func record(name, space string, fields []string, extra string) string {
	return fmt.Sprintf(`{"type":"record","name":%q,"namespace":%q,"fields":[%s]%s,"connect.name":%q}`,
		name, space, strings.Join(fields, ","), extra, space+"."+name)
}

// envelopeText gives Debezium 3.6's envelope around the record of a row. The
// order of the fields is part of the format.
func envelopeText(o *Options, row string) string {
	space := namespace(o.Topic)
	fields := []string{
		`{"name":"before","type":["null",` + row + `],"default":null}`,
		`{"name":"after","type":["null","Value"],"default":null}`,
		`{"name":"source","type":` + sourceText(o.Connector) + `}`,
		`{"name":"transaction","type":["null",{"type":"record","name":"block","namespace":"event","fields":[` +
			`{"name":"id","type":"string"},{"name":"total_order","type":"long"},{"name":"data_collection_order","type":"long"}],` +
			`"connect.version":1,"connect.name":"event.block"}],"default":null}`,
		`{"name":"op","type":"string"}`,
		optional("ts_ms", "long"), optional("ts_us", "long"), optional("ts_ns", "long"),
	}
	return record("Envelope", space, fields, `,"connect.version":2`)
}

// sourceText gives the source block: what all connectors share, then what only
// this one has.
func sourceText(connector string) string {
	fields := []string{
		required("version", "string"), required("connector", "string"), required("name", "string"), required("ts_ms", "long"),
		`{"name":"snapshot","type":[{"type":"string","connect.version":1,` +
			`"connect.parameters":{"allowed":"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},` +
			`"connect.default":"false","connect.name":"io.debezium.data.Enum"},"null"],"default":"false"}`,
		required("db", "string"), optional("sequence", "string"), optional("ts_us", "long"), optional("ts_ns", "long"),
	}
	if isMySQL(connector) {
		fields = append(fields, optional("table", "string"), required("server_id", "long"), optional("gtid", "string"), required("file", "string"),
			required("pos", "long"), required("row", "int"), optional("thread", "long"), optional("query", "string"))
		return record("Source", "io.debezium.connector."+connector, fields, `,"connect.version":1`)
	}
	fields = append(fields,
		required("schema", "string"), required("table", "string"),
		optional("txId", "long"), optional("lsn", "long"), optional("xmin", "long"),
		optional("origin", "string"), optional("origin_lsn", "long"))
	return record("Source", "io.debezium.connector."+connector, fields, `,"connect.version":1`)
}

func required(name, typ string) string { return fmt.Sprintf(`{"name":%q,"type":%q}`, name, typ) }

func optional(name, typ string) string {
	return fmt.Sprintf(`{"name":%q,"type":["null",%q],"default":null}`, name, typ)
}
