package sandbox_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/transform/sandbox"
	"github.com/evertdb/evert/schema"
)

// things is a table with a column of each kind: id text n amount ok ratio raw tags at.
func things() *schema.Table {
	t := &schema.Table{Schema: "public", Name: "things", Key: []int{0}}
	amount, _ := scalar.Named("numeric", 10, 2)
	for _, c := range []struct {
		name string
		typ  schema.Type
	}{{"id", scalar.Int8.Type()}, {"text", scalar.Text.Type()}, {"n", scalar.Int2.Type()}, {"amount", amount}, {"ok", scalar.Bool.Type()}, {"ratio", scalar.Float8.Type()},
		{"raw", scalar.Bytea.Type()}, {"tags", scalar.ArrayOf(scalar.Text.Type())}, {"at", scalar.Date.Type()}} {
		t.Columns = append(t.Columns, schema.Column{Name: c.name, Type: c.typ, Nullable: c.name != "id"})
	}
	return t
}

func thing(t testing.TB, table *schema.Table) schema.Row {
	row := make(schema.Row, len(table.Columns))
	for i, s := range []string{"7", "Ada S3CR3T", "12", "1.50", "t", "0.5", `\x0102`, "{a,b}", "2026-01-31"} {
		v, err := scalar.Parse(&table.Columns[i].Type, []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		row[i] = v.Clone()
	}
	return row
}

var bounds = sandbox.Limits{Steps: 20_000, Bytes: 64 << 10}

func body(lines string) string {
	return "def transform(row):\n    " + strings.ReplaceAll(lines, "\n", "\n    ")
}

func shownRow(table *schema.Table, row schema.Row) string {
	if row == nil {
		return "nothing"
	}
	var out []string
	for i, v := range row {
		if v.IsNull() {
			out = append(out, "~")
		} else {
			out = append(out, string(table.Columns[i].Type.AppendText(nil, v)))
		}
	}
	return strings.Join(out, " ")
}

// What scripts do to a row, and at which line they end.
func TestScripts(t *testing.T) {
	const same = `7 Ada S3CR3T 12 1.50 t 0.5 \x0102 {a,b} 2026-01-31`
	for _, c := range []struct{ name, code, want string }{
		{"nothing", body("return row"), same},
		{"left out", body("return None"), "nothing"},
		{"values of every kind", body(`row.text = row.text.upper() + str(row.n + 1)
row["n"] = row["n"] * 2
row.amount = row.amount + "7"
row.ok = not row.ok
row.ratio = row.ratio / 2
row.raw = row.raw + row.raw
row.tags = [t + "!" for t in row.tags] + [None]
row.at = row.at[:8] + "01"
return row`), `7 ADA S3CR3T13 24 1.51 f 0.25 \x01020102 {a!,b!,NULL} 2026-01-01`},
		{"None is NULL", body("row.text = None\nrow.tags = None\nreturn row"), `7 ~ 12 1.50 t 0.5 \x0102 ~ 2026-01-31`},
		{"JSON", body("row.text = json.encode({\"a\": [row.n, row.ok]})\nreturn row"), `7 {"a":[12,true]} 12 1.50 t 0.5 \x0102 {a,b} 2026-01-31`},
		{"a numeric fits its scale", body("row.amount = 3\nreturn row"), `7 Ada S3CR3T 12 3.00 t 0.5 \x0102 {a,b} 2026-01-31`},
		{"functions, and what stands outside of them", "names = {\"x\": 1}\ndef f(s):\n    return s[0]\n" + body("l = []\nfor x in range(3):\n    l += [f(row.text)]\nrow.text = \"-\".join(l) + str(names[\"x\"])\nreturn row"), `7 A-A-A1 12 1.50 t 0.5 \x0102 {a,b} 2026-01-31`},
		{"sorted by a function", body("row.tags = sorted(row.tags, key=lambda t: -ord(t), reverse=False)\nreturn row"), `7 Ada S3CR3T 12 1.50 t 0.5 \x0102 {b,a} 2026-01-31`},

		{"no script", "def transform(row)\n  return row", "2:1: got newline, want ':'"},
		{"no function", "x = 1", "1:1: the script has no function transform(row)"},
		{"a name that is not there", body("return rwo"), "2:12: undefined: rwo"},
		{"no loading", "load(\"x\", \"y\")\n" + body("return row"), "1:1: a script loads nothing"},
		{"no clock, no chance, no files", body("return open(\"/etc/passwd\")"), "2:12: undefined: open"},
		{"no state", "n = [0]\n" + body("n.append(1)\nreturn row"), "3:13: the script fails for a row here"},
		{"X12 an error tells no value", body("\nfail(row.text)"), "3:9: the script fails for a row here"},
		{"X12 nor a key that is missing", body("return {}[row.text]"), "2:14: the script fails for a row here"},
		{"a column that is not there", body("row.nick = \"nick\"\nreturn row"), "2:8: a column is named here that the row does not have"},
		{"a name that is made up", body("return row[\"te\" + \"xt\"]"), "2:15: the name of a column is made up here: write it as it is"},
		{"the key", body("row.id = 8\nreturn row"), "2:8: a column of the key is changed here: choose another key with rekey"},
		{"what does not fit", body("row.n = \"x\"\nreturn row"), `1:1: what the script puts into column "n" is no smallint`},
		{"what is too large", body("row.n = 70000\nreturn row"), `1:1: what the script puts into column "n" is no smallint`},
		{"something else", body("return 1"), "1:1: transform(row) gives back something else than row or None"},
		{"an addition in a place", body("row.n += 1\nreturn row"), "2:11: write x = x + y here; += is for names alone"},

		{"too many steps", body("for i in range(1000):\n    for j in range(1000):\n        pass\nreturn row"), "the script takes more than 20000 steps for a row"},
		{"compared to the bottom", body("x, y = [0] * 9, [0] * 9\nfor i in range(8):\n    x, y = [x] * 9, [y] * 9\nreturn row if x == y else None"), "the script takes more than 20000 steps for a row"},
		{"looked for to the bottom", body("x, y = [0] * 9, [0] * 9\nfor i in range(8):\n    x, y = [x] * 9, [y] * 9\nreturn row if x in [y] else None"), "the script takes more than 20000 steps for a row"},
		{"hashed to the bottom", body("t = (1,)\nfor i in range(60):\n    t = (t, t)\nreturn {t: row}[t]"), "the script takes more than 20000 steps for a row"},
		{"put by a hash to the bottom", body("t, d = (1,), {}\nfor i in range(60):\n    t = (t, t)\nd[t] = 1\nreturn row"), "the script takes more than 20000 steps for a row"},
		{"got by a hash to the bottom", body("t = (1,)\nfor i in range(60):\n    t = (t, t)\nreturn {}.get(t)"), "the script takes more than 20000 steps for a row"},
		{"sorted to the bottom", body("x, y = [0] * 9, [0] * 9\nfor i in range(8):\n    x, y = [x] * 9, [y] * 9\nreturn sorted([x, y])"), "the script takes more than 20000 steps for a row"},
		{"a range without an end", body("return max(range(1000000000))"), "the script takes more than 20000 steps for a row"},
		{"a text that doubles", body("s = row.text\nfor i in range(100):\n    s = s + s\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"in place", body("s = row.text\nfor i in range(100):\n    s += s\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"a list that doubles", body("s = [1]\nfor i in range(100):\n    s += s\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"repeated", body("s = row.text * 100000000\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"repeated the other way", body("s = 100000000 * [1]\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"replaced", body("s = (\"a\" * 1000).replace(\"a\", \"b\" * 1000)\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"replaced by another name", body("f = (\"a\" * 1000).replace\ns = f(\"a\", \"b\" * 1000)\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"joined", body("s = (\"a\" * 1000).join([\"b\"] * 1000)\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"printed from lists of lists", body("s = [1]\nfor i in range(40):\n    s = [s, s]\nreturn str(s)"), "the script makes more than 65536 bytes for a row"},
		{"formatted", body("return \"{}{}\".format(row.text, row.text)"), "2:25: format is not there: write + here"},
		{"a large number", body("x = 1 << 100000\nreturn row"), "2:11: a shift of more than 4096 bits"},
		{"a number that squares", body("x = 3\nfor i in range(100):\n    x = x * x\nreturn row"), "the script makes more than 65536 bytes for a row"},
		{"recursion", "def f(x):\n    return f(x)\n" + body("return f(row)"), "2:13: the script fails for a row here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := things()
			p, err := sandbox.Compile(c.code, bounds)
			var row schema.Row
			if err == nil {
				row, err = p.Run(sandbox.NewShape(table, len(table.Columns)), thing(t, table))
			}
			var e *sandbox.Error
			switch {
			case err == nil && shownRow(table, row) != c.want:
				t.Errorf("got %s\nwant %s", shownRow(table, row), c.want)
			case err != nil && (!errors.As(err, &e) || !strings.HasSuffix(err.Error(), c.want) || strings.Contains(err.Error(), "S3CR3T")):
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// The same row gives the same, also after a row at which the script failed.
func TestNoState(t *testing.T) {
	table := things()
	p, err := sandbox.Compile(body("if row.n > 100:\n    fail(\"x\")\nrow.text = row.text * row.n\nreturn row"), bounds)
	if err != nil {
		t.Fatal(err)
	}
	shape, row, large := sandbox.NewShape(table, len(table.Columns)), thing(t, table), thing(t, table)
	large[2] = schema.Int(1000)
	first, err := p.Run(shape, row)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := p.Run(shape, large); err == nil {
			t.Fatal("it does not fail")
		}
		again, err := p.Run(shape, row)
		if err != nil || !again.Identical(first) {
			t.Fatalf("%v, then %v, %v", shownRow(table, first), shownRow(table, again), err)
		}
	}
	if !p.Mentions("text") || !p.Mentions("n") || p.Mentions("tags") {
		t.Error("it is not known what the script looks at")
	}
}

func FuzzScripts(f *testing.F) {
	for _, s := range []string{"return row", "row.text = row.text + \"x\"\nreturn row", "for i in range(9):\n    pass", "return [x for x in row.tags if x]", "x = {\"a\": 1}\nx[\"a\"] += 1", "return lambda x: x * 2", "s = \"ab\"[::-1] % 3"} {
		f.Add(s)
	}
	table := things()
	row := thing(f, table)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := sandbox.Compile(body(s), bounds)
		if err == nil {
			_, err = p.Run(sandbox.NewShape(table, len(table.Columns)), row)
		}
		var e *sandbox.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error without a place: %v", err)
		}
	})
}

func BenchmarkScript(b *testing.B) {
	table := things()
	p, err := sandbox.Compile(body("if row.n < 3:\n    return None\nrow.text = row.text.upper()\nreturn row"), bounds)
	if err != nil {
		b.Fatal(err)
	}
	shape, row := sandbox.NewShape(table, len(table.Columns)), thing(b, table)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(shape, row); err != nil {
			b.Fatal(err)
		}
	}
}
