package avro

import (
	"fmt"

	"github.com/evertdb/evert/schema"
)

// form gives Debezium's type for what is text at its source and more in a topic;
// ok is false where text it stays. The row envelope has text for all of them.
func (d *dialect) form(t *schema.Type) (text string, c cell, ok bool) {
	if d.envelope != Debezium {
		return "", cell{}, false
	}
	switch t.Form {
	case schema.FormBit:
		return d.bit(t)
	case schema.FormMoney:
		return d.money(t)
	case schema.FormOID:
		return `"long"`, plainCell(opNumber, t.Kind), true
	case schema.FormTimeTZ:
		return d.named("string", "io.debezium.time.ZonedTime", ""), plainCell(opZonedTime, t.Kind), true
	case schema.FormHStore:
		if d.handling.HStore == HStoreMap {
			return `{"type":"map","values":["null","string"]}`, plainCell(opHStoreMap, t.Kind), true
		}
		return d.named("string", "io.debezium.data.Json", ""), plainCell(opHStore, t.Kind), true
	case schema.FormPoint:
		return d.point(), plainCell(opPoint, t.Kind), true
	case schema.FormXML:
		return d.named("string", "io.debezium.data.Xml", ""), plainCell(opString, t.Kind), true
	case schema.FormLTree:
		return d.named("string", "io.debezium.data.Ltree", ""), plainCell(opString, t.Kind), true
	case schema.FormTSVector:
		return d.named("string", "io.debezium.data.Tsvector", ""), plainCell(opString, t.Kind), true
	}
	return "", cell{}, false
}

func (d *dialect) bit(t *schema.Type) (text string, c cell, ok bool) {
	if t.Precision == 1 {
		return `"boolean"`, plainCell(opBit, t.Kind), true
	}
	c = plainCell(opBits, t.Kind)
	c.scale = t.Precision
	return fmt.Sprintf(`{"type":"bytes","connect.version":1,"connect.parameters":{"length":"%d"},"connect.name":"io.debezium.data.Bits"}`, t.Precision), c, true
}

// money is a decimal with two digits, as the C locale has; what lc_monetary makes
// of the same number at the source is a matter of showing it.
func (d *dialect) money(t *schema.Type) (text string, c cell, ok bool) {
	number := schema.Type{Kind: schema.KindDecimal, Name: t.Name, Precision: moneyPrecision, Scale: 2}
	precise := dialect{envelope: d.envelope} // whatever becomes of other numbers
	text, inner, err := precise.decimal(&number)
	c = plainCell(opMoney, t.Kind)
	c.elem = &inner
	return text, c, err == nil
}

// moneyPrecision is that of Connect's decimals that name none.
const moneyPrecision = 64

func (d *dialect) point() string {
	return d.spell("io.debezium.data.geometry.Point", `{"type":"record","name":"Point","namespace":"io.debezium.data.geometry",`+
		`"fields":[{"name":"x","type":"double"},{"name":"y","type":"double"},`+
		`{"name":"wkb","type":["null","bytes"],"default":null},{"name":"srid","type":["null","int"],"default":null}],`+
		`"connect.doc":"Geometry (POINT)","connect.version":1,"connect.name":"io.debezium.data.geometry.Point"}`)
}

// spell gives a named type in full the first time, and then its name.
func (d *dialect) spell(name, text string) string {
	if d.spelled[name] {
		return `"` + name + `"`
	}
	if d.spelled == nil {
		d.spelled = map[string]bool{}
	}
	d.spelled[name] = true
	return text
}

// adoptForm makes a cell that was guessed from the Avro type the cell of a type
// whose text is written as more; ok is false if that is not how it is written.
func (c *cell) adoptForm(t *schema.Type) (ok bool) {
	op := opString
	switch {
	case t.Form == schema.FormBit && c.op == opBool:
		op = opBit
	case t.Form == schema.FormBit && c.op == opBytes:
		op, c.scale = opBits, t.Precision
	case t.Form == schema.FormOID && c.op == opLong:
		op = opNumber
	case t.Form == schema.FormTimeTZ && c.op == opString:
		op = opZonedTime
	case t.Form == schema.FormHStore && c.op == opString && c.kind == schema.KindJSON:
		op = opHStore
	case t.Form == schema.FormMoney && c.adoptMoney():
		return true
	case c.op == opPoint || c.op == opHStoreMap:
		op = c.op
	case c.op != opString:
		return false
	}
	c.op, c.kind = op, schema.KindText
	return true
}

// adoptMoney puts the decimal that it found inside.
func (c *cell) adoptMoney() bool {
	if c.op != opDecimal {
		return false
	}
	inner := *c
	inner.null = notNull
	*c = cell{op: opMoney, kind: schema.KindText, null: c.null, elem: &inner}
	return true
}
