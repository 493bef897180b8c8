package avro

import (
	"fmt"
	"strconv"
	"strings"

	hamba "github.com/hamba/avro/v2"

	"github.com/evertdb/evert/schema"
)

// What a field holds when its schema says no more than Debezium's or Avro's own
// names do. The names of types are Postgres's.

// cellOf gives the cell of an Avro type, and the best guess at the column's
// type.
func cellOf(s hamba.Schema) (cell, schema.Type, error) {
	s = deref(s)
	switch s := s.(type) {
	case *hamba.UnionSchema:
		inner, null, ok := nullable(s)
		if !ok {
			break
		}
		c, t, err := cellOf(inner)
		c.null = null
		return c, t, err
	case *hamba.PrimitiveSchema:
		return primitiveCell(s)
	case *hamba.RecordSchema:
		if s.FullName() == "io.debezium.data.VariableScaleDecimal" && variableShape(s) {
			t := schema.Type{Kind: schema.KindDecimal, Name: "numeric", Precision: -1, Scale: -1}
			return plainCell(opVariableDecimal, t.Kind), t, nil
		}
		if s.FullName() == "io.debezium.data.geometry.Point" && pointShape(s) {
			return typed(plainCell(opPoint, schema.KindText), schema.Type{Name: "point", Opaque: true, Form: schema.FormPoint})
		}
		return cell{}, schema.Type{}, fmt.Errorf("record %s is not a value that Evert reads", s.FullName())
	case *hamba.MapSchema:
		if u, ok := deref(s.Values()).(*hamba.UnionSchema); ok {
			if inner, null, ok := nullable(u); ok && null == 0 && inner.Type() == hamba.String {
				return typed(plainCell(opHStoreMap, schema.KindText), schema.Type{Name: "hstore", Opaque: true, Form: schema.FormHStore})
			}
		}
	case *hamba.ArraySchema:
		return arrayCell(s)
	}
	return cell{}, schema.Type{}, fmt.Errorf("Avro type %s is not a value that Evert reads", s.Type())
}

// nullable splits a union of null and one other type.
func nullable(u *hamba.UnionSchema) (inner hamba.Schema, null int8, ok bool) {
	types := u.Types()
	if len(types) != 2 {
		return nil, 0, false
	}
	for i, t := range types {
		if t.Type() == hamba.Null && types[1-i].Type() != hamba.Null && types[1-i].Type() != hamba.Union {
			return types[1-i], int8(i), true
		}
	}
	return nil, 0, false
}

func deref(s hamba.Schema) hamba.Schema {
	if ref, ok := s.(*hamba.RefSchema); ok {
		return ref.Schema()
	}
	return s
}

func pointShape(s *hamba.RecordSchema) bool {
	f := s.Fields()
	return len(f) == 4 && f[0].Type().Type() == hamba.Double && f[1].Type().Type() == hamba.Double &&
		optionalOf(f[2], hamba.Bytes) && optionalOf(f[3], hamba.Int)
}

// optionalOf reports whether a field is a union of null and then a type.
func optionalOf(f *hamba.Field, t hamba.Type) bool {
	u, ok := deref(f.Type()).(*hamba.UnionSchema)
	if !ok {
		return false
	}
	inner, null, ok := nullable(u)
	return ok && null == 0 && inner.Type() == t
}

func variableShape(s *hamba.RecordSchema) bool {
	f := s.Fields()
	return len(f) == 2 && f[0].Name() == "scale" && f[0].Type().Type() == hamba.Int &&
		f[1].Name() == "value" && f[1].Type().Type() == hamba.Bytes
}

func arrayCell(s *hamba.ArraySchema) (cell, schema.Type, error) {
	elem, elemType, err := cellOf(s.Items())
	if err == nil && elem.op == opArray {
		err = fmt.Errorf("an array of arrays is not a value that Evert reads")
	}
	if err != nil {
		return cell{}, schema.Type{}, err
	}
	c := plainCell(opArray, schema.KindArray)
	c.elem = &elem
	return c, schema.Type{Kind: schema.KindArray, Name: elemType.Name + "[]", Elem: &elemType}, nil
}

func primitiveCell(s *hamba.PrimitiveSchema) (cell, schema.Type, error) {
	name := semantic(s)
	switch s.Type() {
	case hamba.Boolean:
		return typed(plainCell(opBool, schema.KindBool), schema.Type{Name: "boolean"})
	case hamba.Int:
		return intCell(s, name)
	case hamba.Long:
		return longCell(name)
	case hamba.Float:
		return typed(plainCell(opFloat, schema.KindFloat), schema.Type{Name: "real", Bits: 32})
	case hamba.Double:
		return typed(plainCell(opDouble, schema.KindFloat), schema.Type{Name: "double precision", Bits: 64})
	case hamba.String:
		return stringCell(s, name)
	case hamba.Bytes:
		return bytesCell(s, name)
	}
	return cell{}, schema.Type{}, fmt.Errorf("Avro type %s is not a value that Evert reads", s.Type())
}

// typed completes a type with the kind of its cell.
func typed(c cell, t schema.Type) (cell, schema.Type, error) {
	t.Kind = c.kind
	return c, t, nil
}

// semantic is the name that says what a primitive type means: Connect's, or
// Avro's logical type.
func semantic(s *hamba.PrimitiveSchema) string {
	if name, ok := s.Prop("connect.name").(string); ok {
		return name
	}
	if s.Logical() != nil {
		return string(s.Logical().Type())
	}
	return ""
}

func intCell(s *hamba.PrimitiveSchema, name string) (cell, schema.Type, error) {
	switch name {
	case "io.debezium.time.Date", "org.apache.kafka.connect.data.Date", "date":
		return typed(plainCell(opDate, schema.KindDate), schema.Type{Name: "date"})
	case "io.debezium.time.Time", "org.apache.kafka.connect.data.Time", "time-millis":
		return typed(plainCell(opTimeMillis, schema.KindTime), schema.Type{Name: "time(3) without time zone", Precision: 3})
	}
	if t, _ := s.Prop("connect.type").(string); t == "int16" || t == "int8" {
		return typed(plainCell(opInt, schema.KindInt), schema.Type{Name: "smallint", Bits: 16})
	}
	return typed(plainCell(opInt, schema.KindInt), schema.Type{Name: "integer", Bits: 32})
}

func longCell(name string) (cell, schema.Type, error) {
	plain := schema.Type{Name: "timestamp without time zone", Precision: 6}
	millis := schema.Type{Name: "timestamp(3) without time zone", Precision: 3}
	zoned := schema.Type{Name: "timestamp with time zone", Precision: 6, Zoned: true}
	clock := schema.Type{Name: "time without time zone", Precision: 6}
	switch name {
	case "io.debezium.time.MicroDuration":
		return typed(plainCell(opMicroDuration, schema.KindInterval), schema.Type{Name: "interval"})
	case "io.debezium.time.MicroTime", "time-micros":
		return typed(plainCell(opTimeMicros, schema.KindTime), clock)
	case "io.debezium.time.NanoTime":
		return typed(plainCell(opTimeNanos, schema.KindTime), clock)
	case "io.debezium.time.Timestamp":
		return typed(stamp(opStampMillis), millis)
	case "io.debezium.time.MicroTimestamp":
		return typed(stamp(opStampMicros), plain)
	case "io.debezium.time.NanoTimestamp":
		return typed(nativeStamp(opStampNanos), plain)
	case "org.apache.kafka.connect.data.Timestamp":
		return typed(stamp(opStampMillis), millis)
	case "local-timestamp-millis":
		return typed(nativeStamp(opStampMillis), millis)
	case "local-timestamp-micros":
		return typed(nativeStamp(opStampMicros), plain)
	case "timestamp-millis":
		return typed(nativeStamp(opStampMillis), zoned)
	case "timestamp-micros":
		return typed(nativeStamp(opStampMicros), zoned)
	}
	return typed(plainCell(opLong, schema.KindInt), schema.Type{Name: "bigint", Bits: 64})
}

func stringCell(s *hamba.PrimitiveSchema, name string) (cell, schema.Type, error) {
	switch name {
	case "io.debezium.time.ZonedTimestamp":
		c := plainCell(opZoned, schema.KindTimestamp)
		c.scale = 6
		return typed(c, schema.Type{Name: "timestamp with time zone", Precision: 6, Zoned: true})
	case "io.debezium.time.ZonedTime":
		return typed(plainCell(opZonedTime, schema.KindText), schema.Type{Name: "time with time zone", Opaque: true, Form: schema.FormTimeTZ})
	case "io.debezium.data.Uuid", "uuid":
		return typed(plainCell(opUUID, schema.KindUUID), schema.Type{Name: "uuid"})
	case "io.debezium.time.IsoDate":
		return typed(plainCell(opISODate, schema.KindDate), schema.Type{Name: "date"})
	case "io.debezium.time.IsoTime":
		return typed(plainCell(opISOTime, schema.KindTime), schema.Type{Name: "time without time zone", Precision: 6})
	case "io.debezium.time.IsoTimestamp":
		return typed(plainCell(opISOStamp, schema.KindTimestamp), schema.Type{Name: "timestamp without time zone", Precision: 6})
	case "io.debezium.time.Interval":
		return typed(plainCell(opSpan, schema.KindInterval), schema.Type{Name: "interval"})
	case "io.debezium.data.Json":
		return typed(plainCell(opString, schema.KindJSON), schema.Type{Name: "json"})
	case "io.debezium.data.Enum":
		t := schema.Type{Name: "enum"}
		if allowed := parameter(s, "allowed"); allowed != "" {
			t.Labels = strings.Split(allowed, ",")
		}
		return typed(plainCell(opString, schema.KindText), t)
	}
	return typed(plainCell(opString, schema.KindText), schema.Type{Name: "text"})
}

func bytesCell(s *hamba.PrimitiveSchema, name string) (cell, schema.Type, error) {
	if name != "org.apache.kafka.connect.data.Decimal" && name != string(hamba.Decimal) {
		return typed(plainCell(opBytes, schema.KindBytes), schema.Type{Name: "bytea"})
	}
	precision, scale, ok := decimalShape(s)
	if !ok || scale > maxScale || scale < -maxScale {
		return cell{}, schema.Type{}, fmt.Errorf("a decimal without a usable scale cannot be read")
	}
	c := plainCell(opDecimal, schema.KindDecimal)
	c.scale = scale
	return typed(c, schema.Type{Name: fmt.Sprintf("numeric(%d,%d)", precision, scale), Precision: precision, Scale: scale})
}

// decimalShape gives precision and scale, which hide in three places.
func decimalShape(s *hamba.PrimitiveSchema) (precision, scale int, ok bool) {
	if d, isDecimal := s.Logical().(*hamba.DecimalLogicalSchema); isDecimal {
		return d.Precision(), d.Scale(), true
	}
	precision = 64
	if p, isNumber := s.Prop("precision").(float64); isNumber {
		precision = int(p)
	}
	if n, isNumber := s.Prop("scale").(float64); isNumber {
		return precision, int(n), true
	}
	n, err := strconv.Atoi(parameter(s, "scale"))
	return precision, n, err == nil
}

// parameter gives one of connect.parameters, or nothing.
func parameter(s *hamba.PrimitiveSchema, name string) string {
	all, _ := s.Prop("connect.parameters").(map[string]any)
	value, _ := all[name].(string)
	return value
}
