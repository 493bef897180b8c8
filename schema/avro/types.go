package avro

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/evertdb/evert/schema"
)

// A dialect turns the types of columns into the text of Avro types, and into
// the cells that write them. One is used for one schema text, because a named
// type is spelled out only the first time.
type dialect struct {
	envelope Envelope
	key      bool // a key's schema never changes: leave out what an ALTER may change without changing a value
	handling Handling
	spelled  map[string]bool // the named types that were spelled out
}

// typ gives the Avro type of t.
func (d *dialect) typ(t *schema.Type) (string, cell, error) {
	switch t.Kind {
	case schema.KindBool:
		return `"boolean"`, plainCell(opBool, t.Kind), nil
	case schema.KindInt:
		return d.integer(t)
	case schema.KindFloat:
		if t.Bits == 32 {
			return `"float"`, plainCell(opFloat, t.Kind), nil
		}
		return `"double"`, plainCell(opDouble, t.Kind), nil
	case schema.KindDecimal:
		return d.decimal(t)
	case schema.KindText:
		if text, c, ok := d.form(t); ok {
			return text, c, nil
		}
		return d.text(t), plainCell(opString, t.Kind), nil
	case schema.KindJSON:
		return d.text(t), plainCell(opString, t.Kind), nil
	case schema.KindBytes:
		return d.bytes(t)
	case schema.KindDate:
		return d.date(t)
	case schema.KindTime:
		return d.time(t)
	case schema.KindTimestamp:
		return d.timestamp(t)
	case schema.KindUUID:
		return d.named("string", "io.debezium.data.Uuid", "uuid"), plainCell(opUUID, t.Kind), nil
	case schema.KindInterval:
		if d.handling.Interval == IntervalNumeric {
			return d.named("long", "io.debezium.time.MicroDuration", ""), plainCell(opMicroDuration, t.Kind), nil
		}
		return d.named("string", "io.debezium.time.Interval", ""), plainCell(opSpan, t.Kind), nil
	case schema.KindArray:
		return d.array(t)
	}
	return "", cell{}, fmt.Errorf("type %q has no Avro form: its values are of kind %s", t.Name, t.Kind)
}

// named is a primitive type with Debezium's semantic name or, in the row
// envelope, Avro's logical type. An empty name leaves the type bare.
func (d *dialect) named(base, connect, logical string) string {
	switch {
	case d.envelope == Debezium && connect != "":
		return fmt.Sprintf(`{"type":%q,"connect.version":1,"connect.name":%q}`, base, connect)
	case d.envelope == Row && logical != "":
		return fmt.Sprintf(`{"type":%q,"logicalType":%q}`, base, logical)
	}
	return strconv.Quote(base)
}

func (d *dialect) integer(t *schema.Type) (string, cell, error) {
	switch {
	case t.Bits == 64:
		return `"long"`, plainCell(opLong, t.Kind), nil
	case t.Bits <= 16 && d.envelope == Debezium:
		return `{"type":"int","connect.type":"int16"}`, plainCell(opInt, t.Kind), nil
	}
	return `"int"`, plainCell(opInt, t.Kind), nil
}

func (d *dialect) text(t *schema.Type) string {
	switch {
	case t.Kind == schema.KindJSON:
		return d.named("string", "io.debezium.data.Json", "")
	case len(t.Labels) > 0 && d.envelope == Debezium && !d.key:
		return fmt.Sprintf(`{"type":"string","connect.version":1,"connect.parameters":{"allowed":%s},"connect.name":"io.debezium.data.Enum"}`,
			quoted(strings.Join(t.Labels, ",")))
	case len(t.Labels) > 0:
		return d.named("string", "io.debezium.data.Enum", "")
	}
	return `"string"`
}

// decimal gives Connect's Decimal, or Avro's, for a constrained numeric. The
// logical type is left out where Avro does not allow it: a negative scale, or
// one above the precision.
func (d *dialect) decimal(t *schema.Type) (string, cell, error) {
	switch d.handling.Decimal {
	case DecimalDouble:
		return `"double"`, plainCell(opDecimalDouble, t.Kind), nil
	case DecimalString:
		return `"string"`, plainCell(opDecimalString, t.Kind), nil
	}
	if t.Precision <= 0 {
		return d.variableDecimal(), plainCell(opVariableDecimal, t.Kind), nil
	}
	c := cell{op: opDecimal, kind: t.Kind, null: notNull, scale: t.Scale}
	precision, parameters := t.Precision, fmt.Sprintf(`{"scale":"%d","connect.decimal.precision":"%d"}`, t.Scale, t.Precision)
	if d.key {
		precision, parameters = max(precision, 64), fmt.Sprintf(`{"scale":"%d"}`, t.Scale)
	}
	text := fmt.Sprintf(`{"type":"bytes","scale":%d,"precision":%d`, t.Scale, precision)
	if d.envelope == Debezium {
		text += fmt.Sprintf(`,"connect.version":1,"connect.parameters":%s,"connect.name":"org.apache.kafka.connect.data.Decimal"`, parameters)
	}
	if t.Scale >= 0 && t.Scale <= precision {
		text += `,"logicalType":"decimal"`
	}
	return text + "}", c, nil
}

func (d *dialect) variableDecimal() string {
	return d.spell("io.debezium.data.VariableScaleDecimal", `{"type":"record","name":"VariableScaleDecimal","namespace":"io.debezium.data",`+
		`"fields":[{"name":"scale","type":"int"},{"name":"value","type":"bytes"}],`+
		`"connect.doc":"Variable scaled decimal","connect.version":1,"connect.name":"io.debezium.data.VariableScaleDecimal"}`)
}

// bytes gives byte strings, as text where that is asked for.
func (d *dialect) bytes(t *schema.Type) (string, cell, error) {
	if o, ok := encodedBytes[d.handling.Binary]; ok {
		return `"string"`, plainCell(o, t.Kind), nil
	}
	return `"bytes"`, plainCell(opBytes, t.Kind), nil
}

func (d *dialect) date(t *schema.Type) (string, cell, error) {
	switch {
	case d.envelope == Debezium && d.handling.Time == Connect:
		return connectType("int", "Date", "date"), plainCell(opDate, t.Kind), nil
	case d.envelope == Debezium && d.handling.Time == ISOString:
		return d.named("string", "io.debezium.time.IsoDate", ""), plainCell(opISODate, t.Kind), nil
	}
	return d.named("int", "io.debezium.time.Date", "date"), plainCell(opDate, t.Kind), nil
}

func (d *dialect) time(t *schema.Type) (string, cell, error) {
	switch {
	case d.envelope == Row:
	case d.handling.Time == Nanoseconds:
		return d.named("long", "io.debezium.time.NanoTime", ""), plainCell(opTimeNanos, t.Kind), nil
	case d.handling.Time == Connect:
		return connectType("int", "Time", "time-millis"), d.cut(plainCell(opTimeMillis, t.Kind)), nil
	case d.handling.Time == ISOString:
		return d.named("string", "io.debezium.time.IsoTime", ""), plainCell(opISOTime, t.Kind), nil
	case d.handling.Time == Adaptive && t.Precision >= 0 && t.Precision <= 3:
		return d.named("int", "io.debezium.time.Time", ""), plainCell(opTimeMillis, t.Kind), nil
	}
	return d.named("long", "io.debezium.time.MicroTime", "time-micros"), plainCell(opTimeMicros, t.Kind), nil
}

// connectType is a type of Kafka Connect's own, as Confluent's converter writes it.
func connectType(base, name, logical string) string {
	return fmt.Sprintf(`{"type":%q,"connect.version":1,"connect.name":"org.apache.kafka.connect.data.%s","logicalType":%q}`, base, name, logical)
}

// cut lets a cell of milliseconds cut finer digits off, but not in a key: two would
// become one.
func (d *dialect) cut(c cell) cell {
	if c.surplus = surplusCut; d.key {
		c.surplus = surplusInKey
	}
	return c
}

func (d *dialect) timestamp(t *schema.Type) (string, cell, error) {
	switch {
	case d.envelope == Row && t.Zoned:
		return d.named("long", "", "timestamp-micros"), nativeStamp(opStampMicros), nil
	case d.envelope == Row:
		return d.named("long", "", "local-timestamp-micros"), nativeStamp(opStampMicros), nil
	case t.Zoned:
		c := plainCell(opZoned, t.Kind)
		if c.scale = t.Precision; c.scale < 0 || c.scale > 6 {
			c.scale = 6
		}
		return d.named("string", "io.debezium.time.ZonedTimestamp", ""), c, nil
	case d.handling.Time == Nanoseconds:
		return d.named("long", "io.debezium.time.NanoTimestamp", ""), nativeStamp(opStampNanos), nil
	case d.handling.Time == Connect:
		return connectType("long", "Timestamp", "timestamp-millis"), d.cut(stamp(opStampMillis)), nil
	case d.handling.Time == ISOString:
		return d.named("string", "io.debezium.time.IsoTimestamp", ""), plainCell(opISOStamp, t.Kind), nil
	case d.handling.Time != Microseconds && t.Precision >= 0 && t.Precision <= 3:
		return d.named("long", "io.debezium.time.Timestamp", ""), stamp(opStampMillis), nil
	}
	return d.named("long", "io.debezium.time.MicroTimestamp", ""), stamp(opStampMicros), nil
}

// array gives an array of optional elements.
func (d *dialect) array(t *schema.Type) (string, cell, error) {
	if t.Elem == nil || t.Elem.Kind == schema.KindArray {
		return "", cell{}, fmt.Errorf("type %q has no Avro form: an array needs an element type that is no array", t.Name)
	}
	text, elem, err := d.typ(t.Elem)
	if err != nil {
		return "", cell{}, err
	}
	elem.null = 0
	c := plainCell(opArray, t.Kind)
	c.elem = &elem
	return fmt.Sprintf(`{"type":"array","items":["null",%s]}`, text), c, nil
}

// quoted is s as a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(b)
}
