package scalar

import (
	"testing"

	"github.com/evertdb/evert/schema"
)

// BenchmarkEval times the functions that rows go through most.
func BenchmarkEval(b *testing.B) {
	for _, bench := range []struct {
		title, name string
		args        []argument
	}{
		{"int equals", "=", []argument{{Int8.Type(), "12345"}, {Int8.Type(), "12345"}}},
		{"int less", "<", []argument{{Int4.Type(), "1"}, {Int8.Type(), "12345"}}},
		{"int add", "+", []argument{{Int8.Type(), "1"}, {Int8.Type(), "12345"}}},
		{"text equals", "=", []argument{{Text.Type(), "some text of a row"}, {Text.Type(), "some text of a row"}}},
		{"numeric less", "<", []argument{{Numeric.Type(), "1234.50"}, {Numeric.Type(), "1234.6"}}},
		{"numeric add", "+", []argument{{Numeric.Type(), "1234.50"}, {Numeric.Type(), "0.07"}}},
		{"numeric multiply", "*", []argument{{Numeric.Type(), "1234.50"}, {Numeric.Type(), "3"}}},
		{"numeric divide", "/", []argument{{Numeric.Type(), "1234.50"}, {Numeric.Type(), "3"}}},
		{"timestamp less", "<", []argument{{Timestamp.Type(), "2024-01-01"}, {Timestamp.Type(), "2024-01-02"}}},
		{"like", "~~", []argument{{Text.Type(), "some text of a row"}, {Text.Type(), "%text%row"}}},
		{"regex", "~", []argument{{Text.Type(), "some text of a row"}, {Text.Type(), "te.t"}}},
		{"jsonb get", "->>", []argument{{JSONB.Type(), `{"a": 1, "name": "x", "tags": ["a", "b"]}`}, {Text.Type(), "name"}}},
		{"and", "and", []argument{{Bool.Type(), "t"}, {Bool.Type(), "f"}}},
	} {
		b.Run(bench.title, func(b *testing.B) {
			types, values := make([]schema.Type, len(bench.args)), make([]schema.Value, len(bench.args))
			for i := range bench.args {
				v, err := bench.args[i].value()
				if err != nil {
					b.Fatal(err)
				}
				types[i], values[i] = bench.args[i].typ, v
			}
			f, err := Lookup(bench.name, types)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Eval(values); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
