package postgres

import (
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// types resolves type OIDs; it holds what loadTypes gave.
type types map[uint32]*typeInfo

const (
	oidInt2Vector = 22
	oidOIDVector  = 30
	oidBpchar     = 1042
	oidVarchar    = 1043
	oidNumeric    = 1700
	oidTSQuery    = 3615
)

// resolve says how values of a type are read. Domains count as what they are
// over. A type that is not known, or gone from the catalog, is carried as text.
func (ts types) resolve(oid uint32, typmod int32) (pgvalue.Codec, schema.Type) {
	t := ts[oid]
	if t == nil {
		c := pgvalue.Codec{}
		return c, c.Type()
	}
	if t.kind == "d" {
		if typmod < 0 {
			typmod = t.typmod
		}
		return ts.resolve(t.base, typmod)
	}
	c := pgvalue.Codec{Op: t.op()}
	if c.Op == pgvalue.Opaque && t.isArray() {
		return ts.resolveArray(t, typmod)
	}
	c.Unsent = t.unsent
	typ := c.Type()
	typ.Labels = t.labels
	setPrecision(&typ, c.Op, typmod)
	setForm(&typ, t, typmod)
	return c, typ
}

// column says how values of a column are read.
func (ts types) column(c columnInfo) (pgvalue.Codec, schema.Type) {
	codec, typ := ts.resolve(c.typ, c.typmod)
	if c.printed && codec.Op == pgvalue.Array {
		codec = pgvalue.Codec{}
		typ = codec.Type()
	}
	return codec, typ
}

// op says how values of a type are read that is neither a domain nor an array.
func (t *typeInfo) op() pgvalue.Op {
	op := pgvalue.Scalar(t.oid)
	switch {
	case op != pgvalue.Opaque:
	case t.kind == "e":
		return pgvalue.Enum
	case t.name == "citext" && t.kind == "b":
		return pgvalue.Text
	case t.name == "ltree" && t.kind == "b":
		return pgvalue.Versioned
	}
	return op
}

// isArray tells real arrays from what only has elements: point, int2vector.
func (t *typeInfo) isArray() bool {
	return t.category == "A" && t.elem != 0 && t.oid != oidInt2Vector && t.oid != oidOIDVector
}

// resolveArray gives the array of a type that is no array itself: one of a domain
// over an array is carried as text.
func (ts types) resolveArray(t *typeInfo, typmod int32) (pgvalue.Codec, schema.Type) {
	elem, elemType := ts.resolve(t.elem, typmod)
	if elem.Op == pgvalue.Array {
		c := pgvalue.Codec{}
		return c, c.Type()
	}
	c := pgvalue.Codec{Op: pgvalue.Array, Elem: elem.Op, Delim: t.delim, Unsent: t.unsent || elem.Unsent}
	typ := c.Type()
	typ.Elem = &elemType
	return c, typ
}

// setForm says what the text of a type is.
func setForm(typ *schema.Type, t *typeInfo, typmod int32) {
	switch typ.Form = builtinForms[t.oid]; {
	case t.oid == oidBit && typmod > 0:
		typ.Form, typ.Precision = schema.FormBit, int(typmod)
	case t.kind != "b":
	case t.name == "hstore":
		typ.Form = schema.FormHStore
	case t.name == "ltree":
		typ.Form = schema.FormLTree
	}
}

const oidBit = 1560

var builtinForms = map[uint32]schema.Form{
	26: schema.FormOID, 142: schema.FormXML, 600: schema.FormPoint, 790: schema.FormMoney, 1266: schema.FormTimeTZ, 3614: schema.FormTSVector,
}

// setPrecision reads the type modifier as the type's own typmodout does.
func setPrecision(t *schema.Type, op pgvalue.Op, typmod int32) {
	switch op {
	case pgvalue.Numeric:
		if typmod >= 4 {
			m := typmod - 4
			t.Precision = int(m >> 16 & 0xFFFF)
			t.Scale = int(m&0x7FF^0x400) - 0x400 // 11 bits with a sign, from version 15 on
		}
	case pgvalue.Time, pgvalue.Timestamp, pgvalue.Timestamptz:
		if typmod >= 0 {
			t.Precision = int(typmod)
		}
	}
}
