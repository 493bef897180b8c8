package scalar

import (
	"bytes"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/jsonb"
	"github.com/evertdb/evert/pipeline/scalar/temporal"
	"github.com/evertdb/evert/schema"
)

// Parse reads a value of type t from its text, as the type's input function does,
// without regard to modifiers. The value may share bytes with the text.
func Parse(t *schema.Type, input []byte) (schema.Value, error) {
	id := Identify(t)
	if id.IsArray() {
		return parseArray(t, input)
	}
	switch id {
	case Unknown, Text, Varchar, BPChar:
		return schema.Text(input), nil
	case Bool:
		return parseBool(input)
	case Int2, Int4, Int8:
		return parseInt(id, input)
	case Float4, Float8:
		f, err := parseFloat(string(input), id)
		return schema.Float(f), err
	case Numeric:
		return numericOrError(decimal.ParseLiteral(input))
	case Enum:
		if !slices.Contains(t.Labels, string(input)) {
			return schema.Null(), fault.New("22P02", "invalid input value for enum %s", t.Name)
		}
		return schema.Text(input), nil
	}
	return parseRare(id, t, input)
}

func parseRare(id ID, t *schema.Type, input []byte) (schema.Value, error) {
	switch id {
	case Bytea:
		return parseBytea(input)
	case UUID:
		return parseUUID(input)
	case Date:
		days, err := temporal.ParseDate(input)
		return orNull(schema.Date(days), err)
	case Time:
		micros, err := temporal.ParseTime(input)
		return orNull(schema.Time(micros), err)
	case Timestamp, Timestamptz:
		return stampOrError(temporal.ParseTimestamp(input, id == Timestamptz))
	case Interval:
		i, err := temporal.ParseInterval(input)
		return orNull(i.Value(), err)
	case JSON:
		return orNull(schema.JSON(input), jsonb.Check(input))
	case JSONB:
		b, err := jsonb.Normal(nil, input)
		return orNull(schema.JSON(b), err)
	}
	return schema.Null(), fault.New("0A000", "values of type %s cannot be read", typeName(t))
}

func orNull(v schema.Value, err error) (schema.Value, error) {
	if err != nil {
		return schema.Null(), err
	}
	return v, nil
}

func trimSpace(b []byte) []byte { return bytes.Trim(b, " \t\n\v\f\r") }

// parseBool takes unique beginnings of true, false, yes, no, on and off, and 1
// and 0.
func parseBool(input []byte) (schema.Value, error) {
	s := strings.ToLower(string(trimSpace(input)))
	for _, w := range [...]struct {
		word  string
		least int
		value bool
	}{
		{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false}, {"on", 2, true}, {"off", 2, false},
		{"1", 1, true}, {"0", 1, false},
	} {
		if len(s) >= w.least && strings.HasPrefix(w.word, s) {
			return schema.Bool(w.value), nil
		}
	}
	return schema.Null(), fault.Syntax("boolean")
}

func parseInt(id ID, input []byte) (schema.Value, error) {
	s := string(trimSpace(input))
	digits := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+"), "0123456789")
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err == nil && fitsInt(id, n):
		return schema.Int(n), nil
	case digits != "" || len(s) == 0 || !isDigit(s[len(s)-1]) || strings.HasPrefix(s, "-+"):
		return schema.Null(), fault.Syntax(id.String())
	}
	return schema.Null(), fault.New("22003", "value out of range for type %s", id)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseFloat reads decimal notation, NaN and infinities.
func parseFloat(input string, id ID) (float64, error) {
	s := strings.ToLower(strings.Trim(input, " \t\n\v\f\r"))
	bits := 64
	if id == Float4 {
		bits = 32
	}
	switch strings.TrimLeft(s, "+-") {
	case "nan":
		return math.NaN(), nil
	case "inf", "infinity":
		if strings.HasPrefix(s, "-") {
			return math.Inf(-1), nil
		}
		return math.Inf(1), nil
	}
	if strings.Trim(s, "+-.0123456789e") != "" {
		return 0, fault.Syntax(id.String())
	}
	f, err := strconv.ParseFloat(s, bits)
	switch {
	case err != nil && math.IsInf(f, 0), err == nil && f == 0 && hasValue(s):
		return 0, fault.New("22003", "value is out of range for type %s", id)
	case err != nil:
		return 0, fault.Syntax(id.String())
	}
	return f, nil
}

// hasValue reports whether a digit other than 0 stands before the exponent.
func hasValue(s string) bool {
	mantissa, _, _ := strings.Cut(s, "e")
	return strings.ContainsAny(mantissa, "123456789")
}

func parseUUID(input []byte) (schema.Value, error) {
	s := strings.TrimSuffix(strings.TrimPrefix(string(input), "{"), "}")
	if strings.HasPrefix(string(input), "{") != strings.HasSuffix(string(input), "}") {
		return schema.Null(), fault.Syntax("uuid")
	}
	out := make([]byte, 0, 16)
	for i := 0; i < len(s) && len(out) < 16; {
		if len(s)-i < 2 {
			break
		}
		b, err := hex.DecodeString(s[i : i+2])
		if err != nil {
			break
		}
		out, i = append(out, b...), i+2
		if len(out) == 16 && i == len(s) {
			return schema.UUID(out), nil
		}
		if i < len(s) && s[i] == '-' && len(out)%2 == 0 && len(out) < 16 {
			i++
		}
	}
	return schema.Null(), fault.Syntax("uuid")
}

// parseBytea reads \x and hex digits, or text with octal escapes.
func parseBytea(input []byte) (schema.Value, error) {
	if rest, ok := bytes.CutPrefix(input, []byte(`\x`)); ok {
		return parseHex(rest)
	}
	return parseEscaped(input)
}

// parseHex reads hex digits; white space may stand between pairs of them.
func parseHex(b []byte) (schema.Value, error) {
	out := make([]byte, 0, len(b)/2)
	for i := 0; i < len(b); i++ {
		if c := b[i]; c == ' ' || c == '\n' || c == '\t' || c == '\r' {
			continue
		}
		longer, err := hex.AppendDecode(out, b[i:min(i+2, len(b))])
		if err != nil {
			return schema.Null(), fault.Parameter("invalid hexadecimal data")
		}
		out = longer
		i++
	}
	return schema.Bytes(out), nil
}

// parseEscaped reads text with octal escapes.
func parseEscaped(input []byte) (schema.Value, error) {
	out := make([]byte, 0, len(input))
	for i := 0; i < len(input); i++ {
		switch rest := input[i:]; {
		case rest[0] != '\\':
			out = append(out, rest[0])
		case len(rest) > 1 && rest[1] == '\\':
			out = append(out, '\\')
			i++
		case len(rest) > 3 && rest[1] >= '0' && rest[1] <= '3' && isOctal(rest[2]) && isOctal(rest[3]):
			out = append(out, (rest[1]-'0')<<6|(rest[2]-'0')<<3|(rest[3]-'0'))
			i += 3
		default:
			return schema.Null(), fault.Syntax("bytea")
		}
	}
	return schema.Bytes(out), nil
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }
