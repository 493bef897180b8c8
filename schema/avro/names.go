package avro

import (
	"fmt"
	"strings"

	"github.com/evertdb/evert/schema"
)

// Avro allows letters, digits and _ in names, and no digit in front. Debezium's
// `avro` adjustment is followed: an illegal character becomes _, a digit in
// front gets one before it. What two names become one by that is refused.

// fieldName makes an Avro name of a column's name.
func fieldName(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			b.WriteRune(r)
		case r >= '0' && r <= '9':
			if i == 0 {
				b.WriteByte('_')
			}
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	if b.Len() == 0 {
		return "_"
	}
	return b.String()
}

// namespace makes an Avro namespace of a topic's name, part by part.
func namespace(topic string) string {
	parts := strings.Split(topic, ".")
	for i, p := range parts {
		parts[i] = fieldName(p)
	}
	return strings.Join(parts, ".")
}

// fieldNames gives the field of each column, and refuses a collision.
func fieldNames(t *schema.Table) ([]string, error) {
	names := make([]string, len(t.Columns))
	taken := make(map[string]int, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = fieldName(c.Name)
		if j, ok := taken[names[i]]; ok {
			return nil, fmt.Errorf("table %s: columns %q and %q are both the Avro field %q; rename or drop one of them",
				t, t.Columns[j].Name, c.Name, names[i])
		}
		taken[names[i]] = i
	}
	return names, nil
}
