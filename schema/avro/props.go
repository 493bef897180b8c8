package avro

import (
	"encoding/json"
	"fmt"

	"github.com/evertdb/evert/schema"
)

// The properties in which a schema remembers the table it was made from. Other
// readers ignore them:
//
//	value record   "evert.table":  {"schema": …, "name": …}
//	each field     "evert.type":   the type's name at the source
//	               "evert.column": columnProps
//
// Keys have none, so that an ALTER which leaves the values alone leaves a key's
// schema, its id, and so the bytes of keys alone (K26).
const (
	propTable  = "evert.table"
	propType   = "evert.type"
	propColumn = "evert.column"
)

type tableProps struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
}

// columnProps is a schema.Column without the name of its type, and without its
// own name where that is the field's; null or not is told by the field's union.
type columnProps struct {
	Name string `json:"name,omitempty"`
	typeProps
	Collation *collationProps `json:"collation,omitempty"`
}

type typeProps struct {
	Kind      string     `json:"kind"`
	Bits      int        `json:"bits,omitempty"`
	Precision int        `json:"precision,omitempty"`
	Scale     int        `json:"scale,omitempty"`
	Zoned     bool       `json:"zoned,omitempty"`
	Binary    bool       `json:"binary,omitempty"`
	Labels    []string   `json:"labels,omitempty"`
	Opaque    bool       `json:"opaque,omitempty"`
	Form      string     `json:"form,omitempty"`
	Elem      *elemProps `json:"elem,omitempty"`
}

type elemProps struct {
	Type string `json:"type"`
	typeProps
}

type collationProps struct {
	Name          string `json:"name,omitempty"`
	Provider      string `json:"provider,omitempty"`
	Deterministic bool   `json:"deterministic,omitempty"`
	Pad           bool   `json:"pad,omitempty"`
}

// propsOf gives the properties of a column as JSON.
func (d *dialect) propsOf(c *schema.Column, field string) string {
	p := columnProps{typeProps: d.typePropsOf(&c.Type)}
	if field != c.Name {
		p.Name = c.Name
	}
	if c.Collation != (schema.Collation{}) {
		collation := collationProps(c.Collation)
		p.Collation = &collation
	}
	return encoded(p)
}

func (d *dialect) typePropsOf(t *schema.Type) typeProps {
	p := typeProps{
		Kind: t.Kind.String(), Bits: t.Bits, Precision: t.Precision, Scale: t.Scale,
		Zoned: t.Zoned, Binary: t.Binary, Labels: t.Labels, Opaque: t.Opaque, Form: string(t.Form),
	}
	if t.Kind == schema.KindBytes {
		p.Form = string(d.handling.Binary)
	}
	if t.Elem != nil {
		p.Elem = &elemProps{Type: t.Elem.Name, typeProps: d.typePropsOf(t.Elem)}
	}
	return p
}

// column rebuilds the column of field; typeName is its evert.type.
func (p *columnProps) column(field, typeName string) (schema.Column, error) {
	c := schema.Column{Name: field}
	if p.Name != "" {
		c.Name = p.Name
	}
	if p.Collation != nil {
		c.Collation = schema.Collation(*p.Collation)
	}
	t, err := p.typ(typeName)
	c.Type = t
	return c, err
}

func (p *typeProps) typ(name string) (schema.Type, error) {
	kind, ok := schema.ParseKind(p.Kind)
	if !ok {
		return schema.Type{}, fmt.Errorf("property %s has the unknown kind %q", propColumn, p.Kind)
	}
	t := schema.Type{
		Kind: kind, Name: name, Bits: p.Bits, Precision: p.Precision, Scale: p.Scale,
		Zoned: p.Zoned, Binary: p.Binary, Labels: p.Labels, Opaque: p.Opaque, Form: schema.Form(p.Form),
	}
	if p.Elem == nil {
		return t, nil
	}
	elem, err := p.Elem.typ(p.Elem.Type)
	t.Elem = &elem
	return t, err
}

// encoded is v as JSON; v is one of the structs above.
func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of strings, numbers and booleans always have a JSON form
	}
	return string(b)
}

// decodeProp reads a property, which the schema parser gives as a tree, into
// one of the structs above; found is false if it is absent.
func decodeProp(prop any, into any) (found bool, err error) {
	if prop == nil {
		return false, nil
	}
	b, err := json.Marshal(prop)
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal(b, into)
}
