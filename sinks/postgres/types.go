package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/schema"
)

// types says what type a column gets at the target. It asks the server which
// named types it has, once for each name.
//
//	boolean, smallint … bigint, real, double precision   the same
//	numeric(p,s)                     the same; numeric where the server does not take p or s
//	character varying(n), character(n), text             the same
//	bytea, date, time, timestamp, timestamptz, interval, uuid, json, jsonb   the same
//	arrays of these                  arrays
//	enums, citext, what Evert carries as text (inet, point, xml, ranges …)   the type of
//	                                 that name if the target has it, else text
type types struct {
	conn    *pgx.Conn
	foreign bool // names are not Postgres's
	known   map[string]string
}

// of gives the type of a column, spelled as format_type spells it.
func (ts *types) of(ctx context.Context, t *schema.Type) (string, error) {
	switch t.Kind {
	case schema.KindBool:
		return "boolean", nil
	case schema.KindInt:
		return integerType(t.Bits), nil
	case schema.KindFloat:
		if t.Bits == 32 {
			return "real", nil
		}
		return "double precision", nil
	case schema.KindDecimal:
		return numericType(t), nil
	case schema.KindBytes:
		return "bytea", nil
	case schema.KindDate:
		return "date", nil
	case schema.KindTime:
		return "time" + digits(t.Precision) + " without time zone", nil
	case schema.KindTimestamp:
		return timestampType(t), nil
	case schema.KindUUID:
		return "uuid", nil
	case schema.KindInterval:
		return "interval", nil
	case schema.KindJSON:
		if t.Binary {
			return "jsonb", nil
		}
		return "json", nil
	case schema.KindArray:
		elem, err := ts.of(ctx, elemOf(t))
		return elem + "[]", err
	}
	return ts.text(ctx, t)
}

func elemOf(t *schema.Type) *schema.Type {
	if t.Elem == nil {
		return &schema.Type{Kind: schema.KindText, Name: "text"}
	}
	return t.Elem
}

func integerType(bits int) string {
	switch bits {
	case 16:
		return "smallint"
	case 32:
		return "integer"
	}
	return "bigint"
}

// maxPrecision is the most digits that numeric(p,s) takes.
const maxPrecision = 1000

func numericType(t *schema.Type) string {
	if t.Precision < 1 || t.Precision > maxPrecision || t.Scale < 0 || t.Scale > t.Precision {
		return "numeric" // a scale below 0 or above p needs version 15: any value fits without
	}
	return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
}

func timestampType(t *schema.Type) string {
	if t.Zoned {
		return "timestamp" + digits(t.Precision) + " with time zone"
	}
	return "timestamp" + digits(t.Precision) + " without time zone"
}

// digits is the modifier of a time; six digits are what a type has by itself.
func digits(precision int) string {
	if precision < 0 || precision >= 6 {
		return ""
	}
	return fmt.Sprintf("(%d)", precision)
}

var (
	varying  = regexp.MustCompile(`^(character varying|varchar|character|char|bpchar)(?: ?\((\d+)\))?$`)
	modified = regexp.MustCompile(`^(.*?) ?(\(\d+(?:,-?\d+)?\))$`)
)

// maxLength is the most characters that varchar(n) takes.
const maxLength = 10485760

// text gives the type of what is text on its way.
func (ts *types) text(ctx context.Context, t *schema.Type) (string, error) {
	if m := varying.FindStringSubmatch(t.Name); m != nil && !t.Opaque && len(m[2]) <= 8 {
		return characterType(m[1], m[2]), nil
	}
	if ts.foreign || t.Name == "text" || t.Name == "" {
		return "text", nil
	}
	base, modifier, typmod := t.Name, "", "-1"
	if m := modified.FindStringSubmatch(t.Name); m != nil {
		base, modifier, typmod = m[1], m[2], "NULL" // "bit" and bit(8): a name may need quotes if it stands alone
	}
	found, err := ts.named(ctx, base, typmod)
	if found == "" || err != nil {
		return "text", err
	}
	return found + modifier, nil
}

// characterType: char and character without a length mean one character, and
// bpchar any number.
func characterType(name, length string) string {
	base := "character varying"
	if !strings.Contains(name, "var") {
		base = "character"
	}
	var n int
	_, _ = fmt.Sscan(length, &n)
	switch {
	case n > maxLength:
		return "text"
	case n > 0:
		return fmt.Sprintf("%s(%d)", base, n)
	case name == "bpchar":
		return "bpchar"
	case base == "character":
		return "character(1)"
	}
	return base
}

// named gives the name under which the target has a type, as SQL, and nothing if
// it has none. The name that was asked for never goes into a statement.
func (ts *types) named(ctx context.Context, name, typmod string) (string, error) {
	if found, ok := ts.known[name+typmod]; ok {
		return found, nil
	}
	var found *string
	err := ts.conn.QueryRow(ctx, "SELECT format_type(oid, "+typmod+") FROM pg_type WHERE oid = to_regtype($1) AND typtype IN ('b', 'd', 'e', 'r', 'm', 'c')", name).Scan(&found)
	switch {
	case err == pgx.ErrNoRows, strings.HasPrefix(sqlState(err), "42"), concernsRow(err): // not even the form of a name
		err = nil
	case err != nil:
		return "", passing("look for type "+name, err)
	}
	if ts.known == nil {
		ts.known = map[string]string{}
	}
	ts.known[name+typmod] = ""
	if found != nil && *found != "unknown" {
		ts.known[name+typmod] = *found
	}
	return ts.known[name+typmod], nil
}

// fits reports whether a column that has a type takes every value of the wanted one.
func fits(has, want string) bool {
	return has == want || has == "text" || widens(want, has) || slices.Contains(wider[want], has)
}

// wider are the types that hold every value of another, and print it as that does.
var wider = map[string][]string{
	"smallint": {"integer", "bigint", "numeric"},
	"integer":  {"bigint", "numeric"},
	"bigint":   {"numeric"},
}

// widens reports whether a column becomes the wanted type without a rewrite of its
// rows, so that nobody waits: a longer varchar, a numeric of more digits with the
// same scale, or either without a bound.
func widens(has, want string) bool {
	hasBase, hasMod := splitModifier(has)
	wantBase, wantMod := splitModifier(want)
	switch {
	case hasBase == "character varying" && (want == "text" || want == "character varying"):
		return true
	case hasBase == "character varying" && wantBase == hasBase && len(hasMod) == 1 && len(wantMod) == 1:
		return wantMod[0] >= hasMod[0]
	case hasBase == "numeric" && want == "numeric":
		return true
	case hasBase == "numeric" && wantBase == hasBase && len(hasMod) == 2 && len(wantMod) == 2:
		return wantMod[0] >= hasMod[0] && wantMod[1] == hasMod[1]
	}
	return false
}

// splitModifier takes numeric(10,2) apart.
func splitModifier(t string) (base string, modifier []int) {
	m := modified.FindStringSubmatch(t)
	if m == nil {
		return t, nil
	}
	for part := range strings.SplitSeq(strings.Trim(m[2], "()"), ",") {
		var n int
		_, _ = fmt.Sscan(part, &n)
		modifier = append(modifier, n)
	}
	return m[1], modifier
}
