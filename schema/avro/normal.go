package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Normal gives a schema's normal form: the same for every spelling of one
// schema, and another one for every other. White space, the order of attributes,
// and whether a name is written in full or by the namespace around it make no
// difference; documentation, defaults, aliases and properties do. (Avro's
// parsing canonical form leaves those out.)
//
// The text need not be a valid schema, only JSON of bounded depth.
func Normal(text string) (string, error) {
	if len(text) > maxSchemaText {
		return "", fmt.Errorf("the schema has %d bytes, more than the %d that are read", len(text), maxSchemaText)
	}
	if depth(text) > maxSchemaDepth {
		return "", errDepth
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // a default keeps its digits
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("the schema is not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("the schema is not JSON: there is more behind it")
	}
	var out normalizer
	err := out.schema(v, "")
	return out.String(), err
}

// Equal reports whether two texts have the same normal form.
func Equal(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := Normal(a)
	y, errY := Normal(b)
	return errX == nil && errY == nil && x == y
}

// leading are the attributes that come first, in this order; the others follow
// by name.
var leading = [...]string{"name", "type", "doc", "aliases", "fields", "symbols", "items", "values", "size", "default", "order"}

// A normalizer writes normal forms.
type normalizer struct{ bytes.Buffer }

// schema writes a schema that stands in a namespace.
func (n *normalizer) schema(v any, namespace string) error {
	switch v := v.(type) {
	case string:
		return n.json(qualified(v, namespace))
	case []any:
		return n.list(v, func(branch any) error { return n.schema(branch, namespace) })
	case map[string]any:
		return n.complex(v, namespace)
	}
	return n.json(v)
}

func (n *normalizer) complex(m map[string]any, namespace string) error {
	if len(m) == 1 && m["type"] != nil {
		return n.schema(m["type"], namespace) // {"type": "int"} is "int"
	}
	kind, _ := m["type"].(string)
	named := kind == "record" || kind == "error" || kind == "enum" || kind == "fixed"
	if named {
		m, namespace = full(m, namespace)
	}
	return n.object(m, func(key string, v any) error {
		switch {
		case key == "type" && named:
			return n.json(v)
		case key == "type" || key == "items" && kind == "array" || key == "values" && kind == "map":
			return n.schema(v, namespace)
		case key == "fields" && named:
			return n.fields(v, namespace)
		}
		return n.json(v)
	})
}

func (n *normalizer) fields(v any, namespace string) error {
	fields, ok := v.([]any)
	if !ok {
		return n.json(v)
	}
	return n.list(fields, func(f any) error {
		m, ok := f.(map[string]any)
		if !ok {
			return n.json(f)
		}
		if m["order"] == "ascending" { // as it is without
			m = maps.Clone(m)
			delete(m, "order")
		}
		return n.object(m, func(key string, v any) error {
			if key == "type" {
				return n.schema(v, namespace)
			}
			return n.json(v)
		})
	})
}

// full gives a named type its full name and aliases, and the namespace of what
// stands inside it.
func full(m map[string]any, namespace string) (map[string]any, string) {
	name, _ := m["name"].(string)
	if own, ok := m["namespace"].(string); ok && own != "" {
		namespace = own
	}
	name = qualified(name, namespace)
	namespace = ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		namespace = name[:dot]
	}
	m = maps.Clone(m)
	delete(m, "namespace")
	m["name"] = name
	if aliases, ok := m["aliases"].([]any); ok {
		aliases = slices.Clone(aliases)
		for i := range aliases {
			if alias, ok := aliases[i].(string); ok {
				aliases[i] = qualified(alias, namespace)
			}
		}
		m["aliases"] = aliases
	}
	return m, namespace
}

// qualified gives a name in full; the primitive types have no namespace.
func qualified(name, namespace string) string {
	switch name {
	case "null", "boolean", "int", "long", "float", "double", "bytes", "string":
		return name
	}
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func (n *normalizer) list(vs []any, write func(any) error) error {
	n.WriteByte('[')
	for i, v := range vs {
		if i > 0 {
			n.WriteByte(',')
		}
		if err := write(v); err != nil {
			return err
		}
	}
	return n.WriteByte(']')
}

func (n *normalizer) object(m map[string]any, write func(key string, v any) error) error {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	n.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			n.WriteByte(',')
		}
		if err := n.json(key); err != nil {
			return err
		}
		n.WriteByte(':')
		if err := write(key, m[key]); err != nil {
			return err
		}
	}
	return n.WriteByte('}')
}

func rank(key string) int {
	if i := slices.Index(leading[:], key); i >= 0 {
		return i
	}
	return len(leading)
}

// json writes a value whose maps are in the order of their keys.
func (n *normalizer) json(v any) error {
	e := json.NewEncoder(&n.Buffer)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	n.Truncate(n.Len() - 1) // the encoder's line end
	return nil
}
