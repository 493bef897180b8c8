package avro_test

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/schema/avro"
)

func TestNormal(t *testing.T) {
	const order = `{"type":"record","name":"Order","namespace":"shop","doc":"d","fields":[{"name":"id","type":"long","default":1.0},{"name":"k","type":{"type":"enum","name":"K","symbols":["A"]}}],"connect.name":"x"}`
	same := []string{
		" " + order + "\n",
		`{"connect.name":"x","name":"shop.Order","doc":"d","type":"record","fields":[{"default":1.0,"type":{"type":"long"},"name":"id","order":"ascending"},{"name":"k","type":{"name":"shop.K","symbols":["A"],"type":"enum"}}]}`,
	}
	for _, text := range same {
		if !avro.Equal(order, text) {
			t.Errorf("another spelling is another schema: %s", text)
		}
	}
	for name, change := range map[string][2]string{
		"default":   {"1.0", "2"},
		"property":  {`"x"`, `"y"`},
		"doc":       {`"d"`, `"e"`},
		"namespace": {`"shop"`, `"store"`},
		"symbol":    {`["A"]`, `["B"]`},
		"order":     {`"default":1.0`, `"default":1.0,"order":"descending"`},
	} {
		if avro.Equal(order, strings.Replace(order, change[0], change[1], 1)) {
			t.Errorf("another %s is the same schema", name)
		}
	}
	normal, err := avro.Normal(order)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := avro.Normal(normal); err != nil || again != normal {
		t.Errorf("the normal form of the normal form is %s, %v", again, err)
	}
	if _, err := avro.Parse(normal); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "{", "long", `"a" "b"`, strings.Repeat("[", 2000)} {
		if text, err := avro.Normal(bad); err == nil {
			t.Errorf("%.20q has the normal form %s", bad, text)
		}
	}
}

// K26: a registry that spells a key schema anew has not changed it.
func TestK26Spelling(t *testing.T) {
	t.Run("K26 another spelling of a key schema is the same key", func(t *testing.T) {
		ours := `{"type":"record","name":"Key","namespace":"shop.public.orders","fields":[{"name":"id","type":{"type":"int","connect.default":0}}],"connect.name":"shop.public.orders.Key"}`
		java := `{"type":"record","name":"Key","namespace":"shop.public.orders","connect.name":"shop.public.orders.Key","fields":[{"name":"id","type":{"connect.default":0,"type":"int"}}]}`
		if !avro.Equal(ours, java) {
			t.Error("the key would count as changed")
		}
		if avro.Equal(ours, strings.Replace(java, `"type":"int"`, `"type":"long"`, 1)) {
			t.Error("a changed key would count as the same")
		}
	})
}

// X18: whatever is sent as a schema, there is an answer, and a normal form is
// its own.
func FuzzX18Schema(f *testing.F) {
	for _, seed := range []string{`"long"`, `{"type":"record","name":"a.R","fields":[{"name":"r","type":["null","R"],"default":null}]}`, `[]`, `{"type":{"type":"map","values":"int"}}`, `{"type":"fixed","name":"F","size":-1}`} {
		f.Add(seed, `"int"`)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		normal, err := avro.Normal(a)
		if again, err2 := avro.Normal(normal); err == nil && (err2 != nil || again != normal) {
			t.Errorf("%q: normal form %q becomes %q, %v", a, normal, again, err2)
		}
		x, err := avro.Parse(a)
		if err != nil {
			return
		}
		if found := x.Reads(x); len(found) > 0 && found[0].Kind != avro.AmbiguousFieldAlias {
			t.Errorf("%q does not read itself: %v", a, found)
		}
		if y, err := avro.Parse(b); err == nil {
			x.Reads(y)
			y.Reads(x)
		}
	})
}
