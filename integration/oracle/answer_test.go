package oracle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/schema"
)

// show writes a row as one line.
func show(row []*string) string {
	var b strings.Builder
	for i, v := range row {
		if i > 0 {
			b.WriteString(" | ")
		}
		if v == nil {
			b.WriteString("∅")
			continue
		}
		fmt.Fprintf(&b, "%q", *v)
	}
	return b.String()
}

// plain writes numbers without the zeros that do not change them, so that 1.0
// and 1.00 are the same answer where SQL leaves open which one it is.
func plain(row []*string, columns []schema.Column) []*string {
	out := slices.Clone(row)
	for i, v := range row {
		if v != nil && columns[i].Type.Kind == schema.KindDecimal && strings.Contains(*v, ".") {
			text := strings.TrimSuffix(strings.TrimRight(*v, "0"), ".")
			out[i] = &text
		}
		if v != nil && columns[i].Type.Kind == schema.KindFloat && *v == "-0" {
			zero := "0"
			out[i] = &zero
		}
	}
	return out
}

// texts writes a maintained row as the database prints it.
func texts(row schema.Row, columns []schema.Column) []*string {
	out := make([]*string, len(row))
	for i, v := range row {
		if !v.IsNull() {
			text := string(columns[i].Type.AppendText(nil, v))
			out[i] = &text
		}
	}
	return out
}

// differences lists what only one side has; empty if they agree.
func differences(want, have []string) string {
	count := map[string]int{}
	for _, w := range want {
		count[w]++
	}
	for _, h := range have {
		count[h]--
	}
	var lines []string
	for row, n := range count {
		switch {
		case n > 0:
			lines = append(lines, fmt.Sprintf("only the database has (%d×): %s", n, row))
		case n < 0:
			lines = append(lines, fmt.Sprintf("only the view has (%d×):     %s", -n, row))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
