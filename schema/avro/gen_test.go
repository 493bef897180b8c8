package avro_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// Types as the Postgres source gives them.
var (
	boolean   = schema.Type{Kind: schema.KindBool, Name: "boolean"}
	smallint  = schema.Type{Kind: schema.KindInt, Name: "smallint", Bits: 16}
	integer   = schema.Type{Kind: schema.KindInt, Name: "integer", Bits: 32}
	bigint    = schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}
	realType  = schema.Type{Kind: schema.KindFloat, Name: "real", Bits: 32}
	double    = schema.Type{Kind: schema.KindFloat, Name: "double precision", Bits: 64}
	numeric   = schema.Type{Kind: schema.KindDecimal, Name: "numeric", Precision: -1, Scale: -1}
	text      = schema.Type{Kind: schema.KindText, Name: "text"}
	bytea     = schema.Type{Kind: schema.KindBytes, Name: "bytea"}
	date      = schema.Type{Kind: schema.KindDate, Name: "date"}
	timeMs    = schema.Type{Kind: schema.KindTime, Name: "time(3) without time zone", Precision: 3}
	timeUs    = schema.Type{Kind: schema.KindTime, Name: "time without time zone", Precision: -1}
	stampMs   = schema.Type{Kind: schema.KindTimestamp, Name: "timestamp(3) without time zone", Precision: 3}
	stampUs   = schema.Type{Kind: schema.KindTimestamp, Name: "timestamp without time zone", Precision: -1}
	zoned     = schema.Type{Kind: schema.KindTimestamp, Name: "timestamp with time zone", Precision: -1, Zoned: true}
	zonedSecs = schema.Type{Kind: schema.KindTimestamp, Name: "timestamp(0) with time zone", Precision: 0, Zoned: true}
	interval  = schema.Type{Kind: schema.KindInterval, Name: "interval"}
	uuid      = schema.Type{Kind: schema.KindUUID, Name: "uuid"}
	jsonType  = schema.Type{Kind: schema.KindJSON, Name: "json"}
	jsonb     = schema.Type{Kind: schema.KindJSON, Name: "jsonb", Binary: true}
	mood      = schema.Type{Kind: schema.KindText, Name: "mood", Labels: []string{"sad, very", "ok", `"happy"`}}
	inet      = schema.Type{Kind: schema.KindText, Name: "inet", Opaque: true}
)

func numericOf(precision, scale int) schema.Type {
	return schema.Type{Kind: schema.KindDecimal, Name: fmt.Sprintf("numeric(%d,%d)", precision, scale), Precision: precision, Scale: scale}
}

func arrayOf(t schema.Type) schema.Type {
	return schema.Type{Kind: schema.KindArray, Name: t.Name + "[]", Elem: &t}
}

var scalars = []schema.Type{
	boolean, smallint, integer, bigint, realType, double, numeric, numericOf(10, 2), numericOf(5, -2), numericOf(2, 5),
	numericOf(38, 10), numericOf(60, 20), text, bytea, date, timeMs, timeUs, stampMs, stampUs, zoned, zonedSecs,
	uuid, jsonType, jsonb, mood, inet, interval,
}

// genTable draws a table: its first columns are the key, in reverse order.
func genTable(t *rapid.T) *schema.Table {
	table := &schema.Table{Schema: "public", Name: "Order Lines", Native: "16384", Version: 3}
	for i := range rapid.IntRange(1, 12).Draw(t, "columns") {
		typ := rapid.SampledFrom(scalars).Draw(t, "type")
		if rapid.IntRange(0, 4).Draw(t, "array") == 0 {
			typ = arrayOf(typ)
		}
		c := schema.Column{Name: fmt.Sprintf("c%d", i), Type: typ, Nullable: rapid.Bool().Draw(t, "nullable")}
		if typ.Kind == schema.KindText {
			c.Collation = schema.Collation{Name: "en-x-icu", Provider: "i", Deterministic: true}
		}
		table.Columns = append(table.Columns, c)
	}
	table.Columns[0].Name = "naïve key"
	for i := rapid.IntRange(0, min(2, len(table.Columns))).Draw(t, "keys") - 1; i >= 0; i-- {
		table.Key = append(table.Key, i)
	}
	return table
}

func genRow(t *rapid.T, table *schema.Table) schema.Row {
	row := make(schema.Row, len(table.Columns))
	for i, c := range table.Columns {
		if c.Nullable && rapid.IntRange(0, 3).Draw(t, "null") == 0 {
			continue
		}
		row[i] = genValue(t, &c.Type)
	}
	return row
}

func genValue(t *rapid.T, typ *schema.Type) schema.Value {
	switch typ.Kind {
	case schema.KindBool:
		return schema.Bool(rapid.Bool().Draw(t, "bool"))
	case schema.KindInt:
		n := rapid.Int64().Draw(t, "int")
		return schema.Int(n >> (64 - typ.Bits))
	case schema.KindFloat:
		if typ.Bits == 32 {
			return schema.Float(float64(rapid.Float32().Draw(t, "real")))
		}
		return schema.Float(rapid.Float64().Draw(t, "double"))
	case schema.KindDecimal:
		return schema.Decimal([]byte(genDecimal(t, typ)))
	case schema.KindBytes:
		return schema.Bytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case schema.KindDate:
		return schema.Date(int32(rapid.Int64Range(-2440588, 2145042905).Draw(t, "date")))
	case schema.KindTime:
		return schema.Time(rapid.Int64Range(0, 86_400_000).Draw(t, "time") * 1000)
	case schema.KindTimestamp:
		return schema.Timestamp(genStamp(t, typ))
	case schema.KindInterval:
		n := rapid.Int64().Draw(t, "days and months")
		return schema.Interval(int32(n), int32(n>>32), rapid.Int64().Draw(t, "micros"))
	case schema.KindUUID:
		return schema.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
	case schema.KindJSON:
		return schema.JSON([]byte(`{"a": ` + strconv.Quote(rapid.String().Draw(t, "json")) + `}`))
	case schema.KindArray:
		return genArray(t, typ.Elem)
	}
	return schema.Text([]byte(rapid.String().Draw(t, "text")))
}

func genArray(t *rapid.T, elem *schema.Type) schema.Value {
	var elems []schema.Value
	for range rapid.IntRange(0, 4).Draw(t, "elements") {
		e := schema.Null()
		if rapid.IntRange(0, 3).Draw(t, "null") > 0 {
			e = genValue(t, elem)
		}
		elems = append(elems, e)
	}
	return schema.Array(schema.AppendArray(nil, elems...))
}

// genStamp draws between 4713 BC and the last year whose microseconds since
// 1970 fit.
func genStamp(t *rapid.T, typ *schema.Type) int64 {
	n := rapid.Int64Range(-211_813_488_000_000_000, math.MaxInt64-schema.UnixEpoch2000-100_000_000).Draw(t, "micros")
	switch typ.Precision {
	case 0:
		n -= n % 1_000_000
	case 3:
		n -= n % 1000
	}
	return n
}

// genDecimal draws decimal text as the server prints it.
func genDecimal(t *rapid.T, typ *schema.Type) string {
	digits, scale := typ.Precision, typ.Scale
	if digits < 0 {
		digits, scale = rapid.IntRange(1, 60).Draw(t, "digits"), rapid.IntRange(0, 30).Draw(t, "scale")
	}
	n := new(big.Int)
	n.SetString(rapid.StringMatching(fmt.Sprintf("[0-9]{1,%d}", digits)).Draw(t, "number"), 10)
	if rapid.Bool().Draw(t, "negative") {
		n.Neg(n)
	}
	return decimalText(n, scale)
}

// decimalText is the obvious way to print an unscaled number.
func decimalText(n *big.Int, scale int) string {
	sign, digits := "", new(big.Int).Abs(n).String()
	if n.Sign() < 0 {
		sign = "-"
	}
	switch {
	case n.Sign() == 0 && scale <= 0:
		return "0"
	case scale <= 0:
		return sign + digits + strings.Repeat("0", -scale)
	case len(digits) <= scale:
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// generic gives v as the generic encoder of hamba takes it, by a second,
// obvious reading of the mapping. Logical types are left out of the schema.
func generic(v schema.Value, typ *schema.Type, env avro.Envelope) any {
	switch typ.Kind {
	case schema.KindBool:
		return v.Bool()
	case schema.KindInt:
		if typ.Bits == 64 {
			return v.Int()
		}
		return int32(v.Int())
	case schema.KindFloat:
		if typ.Bits == 32 {
			return float32(v.Float())
		}
		return v.Float()
	case schema.KindDecimal:
		return genericDecimal(string(v.Ref()), typ)
	case schema.KindBytes:
		return v.Ref()
	case schema.KindDate:
		return int32(v.Int())
	case schema.KindTime:
		if env == avro.Debezium && typ.Precision == 3 {
			return int32(v.Int() / 1000)
		}
		return v.Int()
	case schema.KindTimestamp:
		return genericStamp(v, typ, env)
	case schema.KindUUID:
		h := hex.EncodeToString(v.Ref())
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	case schema.KindInterval:
		return isoSpan(v.Interval())
	case schema.KindArray:
		return genericArray(v, typ, env)
	}
	return string(v.Ref())
}

func genericArray(v schema.Value, typ *schema.Type, env avro.Envelope) any {
	list := []any{}
	for _, e := range v.Elements() {
		list = append(list, genericUnion(e, typ.Elem, env))
	}
	return list
}

// genericUnion names the branch of a union with null.
func genericUnion(v schema.Value, typ *schema.Type, env avro.Envelope) map[string]any {
	if v.IsNull() {
		return nil
	}
	value := generic(v, typ, env)
	switch value.(type) {
	case bool:
		return map[string]any{"boolean": value}
	case int32:
		return map[string]any{"int": value}
	case int64:
		return map[string]any{"long": value}
	case float32:
		return map[string]any{"float": value}
	case float64:
		return map[string]any{"double": value}
	case string:
		return map[string]any{"string": value}
	case []byte:
		return map[string]any{"bytes": value}
	case []any:
		return map[string]any{"array": value}
	}
	return map[string]any{"io.debezium.data.VariableScaleDecimal": value}
}

func genericDecimal(text string, typ *schema.Type) any {
	whole, frac, _ := strings.Cut(text, ".")
	n, _ := new(big.Int).SetString(whole+frac, 10)
	if typ.Precision < 0 {
		return map[string]any{"scale": len(frac), "value": twos(n)}
	}
	if typ.Scale < 0 {
		n.Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-typ.Scale)), nil))
	}
	return twos(n)
}

// twos is the shortest two's complement, found by trying.
func twos(n *big.Int) []byte {
	for size := 1; ; size++ {
		half := new(big.Int).Lsh(big.NewInt(1), uint(8*size-1))
		if n.Cmp(half) >= 0 || n.Cmp(new(big.Int).Neg(half)) < 0 {
			continue
		}
		m := new(big.Int).Set(n)
		if m.Sign() < 0 {
			m.Add(m, new(big.Int).Lsh(half, 1))
		}
		return m.FillBytes(make([]byte, size))
	}
}

func genericStamp(v schema.Value, typ *schema.Type, env avro.Envelope) any {
	micros := v.Int() + schema.UnixEpoch2000
	switch {
	case env == avro.Debezium && typ.Zoned:
		return isoText(time.UnixMicro(micros).UTC(), typ.Precision)
	case env == avro.Debezium && typ.Precision == 3:
		return micros / 1000
	}
	return micros
}

// isoSpan prints an interval as Debezium does, each part with its sign.
func isoSpan(months, days int32, micros int64) string {
	secs := new(big.Rat).SetFrac64(micros%60_000_000, 1_000_000).FloatString(6)
	secs = strings.TrimSuffix(strings.TrimRight(secs, "0"), ".")
	return fmt.Sprintf("P%dY%dM%dDT%dH%dM%sS", months/12, months%12, days, micros/3_600_000_000, micros/60_000_000%60, secs)
}

// isoText prints an instant as Java's formatter does.
func isoText(t time.Time, precision int) string {
	layout := "-01-02T15:04:05.000000Z"
	if precision == 0 {
		layout = "-01-02T15:04:05Z"
	}
	year := t.Year()
	switch {
	case year < 0:
		return fmt.Sprintf("-%04d%s", -year, t.Format(layout))
	case year > 9999:
		return fmt.Sprintf("+%d%s", year, t.Format(layout))
	}
	return fmt.Sprintf("%04d%s", year, t.Format(layout))
}
