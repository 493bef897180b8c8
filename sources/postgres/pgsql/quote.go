package pgsql

import "strings"

// QuoteIdent writes a name so that Postgres reads exactly that name, in SQL and
// in replication commands alike (X11). It always quotes. A zero byte, which no
// name can hold, is left out.
func QuoteIdent(name string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(name, "\x00", ""), `"`, `""`) + `"`
}

// QuoteTable writes schema.table with both parts quoted.
func QuoteTable(schema, table string) string { return QuoteIdent(schema) + "." + QuoteIdent(table) }

// QuoteLiteral writes a string constant that is read the same whatever
// standard_conforming_strings says. It is not for replication commands when the
// text holds a backslash: their grammar knows no E”.
func QuoteLiteral(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\x00", ""), "'", "''")
	if strings.Contains(text, `\`) {
		return " E'" + strings.ReplaceAll(text, `\`, `\\`) + "'"
	}
	return "'" + text + "'"
}

// QuoteOption writes the value of an option of a replication command.
func QuoteOption(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// ValidSlotName reports whether Postgres takes name for a replication slot.
func ValidSlotName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return name != "" && len(name) <= 63
}
