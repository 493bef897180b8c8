package pipeline_test

import (
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// TestKeyChanged tells a change of key from other updates, with old rows as far
// as sources send them.
func TestKeyChanged(t *testing.T) {
	table := &schema.Table{Columns: make([]schema.Column, 3), Key: []int{0, 2}}
	row := func(a, b, c schema.Value) schema.Row { return schema.Row{a, b, c} }
	after := row(schema.Int(1), schema.Text([]byte("x")), schema.Int(2))
	for _, c := range []struct {
		name   string
		before schema.Row
		want   bool
	}{
		{"no old row", nil, false},
		{"the same key", row(schema.Int(1), schema.Unknown(), schema.Int(2)), false},
		{"another first column", row(schema.Int(3), schema.Unknown(), schema.Int(2)), true},
		{"another last column", row(schema.Int(1), schema.Unknown(), schema.Int(3)), true},
		{"a key column that was not sent did not change", row(schema.Int(1), schema.Null(), schema.Unknown()), false},
		{"another value that is no key", row(schema.Int(1), schema.Text([]byte("y")), schema.Int(2)), false},
	} {
		change := pipeline.Change{Table: table, Op: pipeline.Update, Before: c.before, After: after}
		if got := change.KeyChanged(); got != c.want {
			t.Errorf("%s: KeyChanged is %v", c.name, got)
		}
	}
}
