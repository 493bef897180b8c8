package scalar

import (
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/jsonb"
	"github.com/evertdb/evert/schema"
)

// jsonOverloads are the operators and functions of json and jsonb.
func jsonOverloads() []overload {
	var list []overload
	for _, id := range [...]ID{JSON, JSONB} {
		list = append(list, accesses(id)...)
	}
	list = append(list, jsonbTests()...)
	list = append(list, jsonbEdits()...)
	return append(list, jsonMakers()...)
}

// parserOf reads a value of json or jsonb.
func parserOf(id ID) func(text []byte) (jsonb.Node, error) {
	if id == JSONB {
		return jsonb.Parse
	}
	return jsonb.ParseText
}

// A finder gives what an operator points to; ok is false for nothing.
type finder func(n *jsonb.Node, key schema.Value) (at *jsonb.Node, ok bool)

// accesses are -> ->> #> #>> and the functions of their names.
func accesses(id ID) []overload {
	prefix := either(id == JSONB, JSONB, JSON).String()
	list := []overload{
		access("#>", id, Text.Array(), id, byPath), access("#>>", id, Text.Array(), Text, byPath),
		unary(prefix+"_typeof", id, Text, func(v schema.Value) (schema.Value, error) {
			n, err := parserOf(id)(v.Ref())
			return orNull(textOf(n.Kind.String()), err)
		}),
		unary(prefix+"_array_length", id, Int4, func(v schema.Value) (schema.Value, error) {
			n, err := parserOf(id)(v.Ref())
			switch {
			case err != nil:
				return schema.Null(), err
			case n.Scalar():
				return schema.Null(), fault.Parameter("cannot get array length of a scalar")
			case n.Kind == jsonb.Object:
				return schema.Null(), fault.Parameter("cannot get array length of a non-array")
			}
			return schema.Int(int64(len(n.Elems))), nil
		}),
	}
	list = append(list, members(id, prefix)...)
	for name, result := range map[string]ID{"_extract_path": id, "_extract_path_text": Text} {
		list = append(list, overload{name: prefix + name, args: []ID{id, Text}, rest: Text, result: result, eval: func(v []schema.Value) (schema.Value, error) {
			path := make([][]byte, len(v)-1)
			for i := range path {
				path[i] = v[i+1].Ref()
			}
			return found(id, result, v[0], func(n *jsonb.Node) (*jsonb.Node, bool) { return n.Walk(path) })
		}})
	}
	return list
}

func access(name string, id, key, result ID, find finder) overload {
	return binary(name, id, key, result, func(v, k schema.Value) (schema.Value, error) {
		return found(id, result, v, func(n *jsonb.Node) (*jsonb.Node, bool) { return find(n, k) })
	})
}

// found prints what find points to: json as it stands in the text, jsonb anew.
func found(id, result ID, v schema.Value, find func(n *jsonb.Node) (*jsonb.Node, bool)) (schema.Value, error) {
	n, err := parserOf(id)(v.Ref())
	if err != nil {
		return schema.Null(), err
	}
	at, ok := find(&n)
	switch {
	case !ok || result == Text && at.Kind == jsonb.Null:
		return schema.Null(), nil
	case result == Text && (id == JSONB || at.Kind == jsonb.String):
		return text(at.AppendText(nil)), nil
	case result == Text:
		return text(at.Raw), nil
	case id == JSON:
		return schema.JSON(at.Raw), nil
	}
	return schema.JSON(at.Append(nil)), nil
}

func byKey(n *jsonb.Node, key schema.Value) (*jsonb.Node, bool) { return n.Get(key.Ref()) }

func byPlace(n *jsonb.Node, place schema.Value) (*jsonb.Node, bool) { return n.At(int(place.Int())) }

// members are -> and ->>, and what they are called as functions.
func members(id ID, prefix string) []overload {
	if id == JSON {
		return []overload{
			access("->", id, Text, id, byKey), access("->", id, Int4, id, byPlace),
			access("->>", id, Text, Text, byKey), access("->>", id, Int4, Text, byPlace),
			access(prefix+"_object_field", id, Text, id, byKey), access(prefix+"_object_field_text", id, Text, Text, byKey),
			access(prefix+"_array_element", id, Int4, id, byPlace), access(prefix+"_array_element_text", id, Int4, Text, byPlace),
		}
	}
	field := func(v, key schema.Value) ([]byte, bool) { return jsonb.Field(v.Ref(), key.Ref()) }
	element := func(v, place schema.Value) ([]byte, bool) { return jsonb.Element(v.Ref(), int(place.Int())) }
	return []overload{
		member("->", Text, field), memberText("->>", Text, field), member("->", Int4, element), memberText("->>", Int4, element),
		member(prefix+"_object_field", Text, field), memberText(prefix+"_object_field_text", Text, field),
		member(prefix+"_array_element", Int4, element), memberText(prefix+"_array_element_text", Int4, element),
	}
}

func member(name string, key ID, find func(v, key schema.Value) ([]byte, bool)) overload {
	return binary(name, JSONB, key, JSONB, func(v, k schema.Value) (schema.Value, error) {
		raw, ok := find(v, k)
		if !ok {
			return schema.Null(), nil
		}
		return schema.JSON(raw), nil
	})
}

func memberText(name string, key ID, find func(v, key schema.Value) ([]byte, bool)) overload {
	return binary(name, JSONB, key, Text, func(v, k schema.Value) (schema.Value, error) {
		raw, ok := find(v, k)
		if ok {
			raw, ok = jsonb.Unquote(raw)
		}
		if !ok {
			return schema.Null(), nil
		}
		return text(raw), nil
	})
}

// byPath finds nothing where a step is NULL.
func byPath(n *jsonb.Node, path schema.Value) (*jsonb.Node, bool) {
	steps, ok := stepsOf(path)
	if !ok {
		return nil, false
	}
	return n.Walk(steps)
}

func stepsOf(path schema.Value) (steps [][]byte, ok bool) {
	for _, e := range flat(nil, path) {
		if e.IsNull() {
			return nil, false
		}
		steps = append(steps, e.Ref())
	}
	return steps, true
}

// jsonbTests are containment and existence.
func jsonbTests() []overload {
	contains := func(a, b schema.Value) (schema.Value, error) {
		x, err := jsonb.Parse(a.Ref())
		if err != nil {
			return schema.Null(), err
		}
		y, err := jsonb.Parse(b.Ref())
		if err != nil {
			return schema.Null(), err
		}
		return truth(jsonb.Contains(&x, &y))
	}
	exists := func(name string, anyOf bool) overload {
		return binary(name, JSONB, Text.Array(), Bool, func(a, keys schema.Value) (schema.Value, error) {
			n, err := jsonb.Parse(a.Ref())
			if err != nil {
				return schema.Null(), err
			}
			for _, k := range flat(nil, keys) {
				if !k.IsNull() && jsonb.Exists(&n, k.Ref()) == anyOf {
					return truth(anyOf)
				}
			}
			return truth(!anyOf)
		})
	}
	return []overload{
		binary("@>", JSONB, JSONB, Bool, contains),
		binary("<@", JSONB, JSONB, Bool, func(a, b schema.Value) (schema.Value, error) { return contains(b, a) }),
		binary("?", JSONB, Text, Bool, func(a, key schema.Value) (schema.Value, error) {
			n, err := jsonb.Parse(a.Ref())
			if err != nil {
				return schema.Null(), err
			}
			return truth(jsonb.Exists(&n, key.Ref()))
		}),
		exists("?|", true), exists("?&", false),
	}
}

// jsonbEdits make a new jsonb of one.
func jsonbEdits() []overload {
	edit := func(name string, arg ID, f func(n jsonb.Node, v schema.Value) (jsonb.Node, error)) overload {
		return binary(name, JSONB, arg, JSONB, func(a, v schema.Value) (schema.Value, error) {
			n, err := jsonb.Parse(a.Ref())
			if err == nil {
				n, err = f(n, v)
			}
			if err != nil {
				return schema.Null(), err
			}
			return schema.JSON(n.Append(nil)), nil
		})
	}
	return []overload{
		edit("||", JSONB, func(n jsonb.Node, v schema.Value) (jsonb.Node, error) {
			b, err := jsonb.Parse(v.Ref())
			if err != nil {
				return n, err
			}
			return jsonb.Concat(n, b)
		}),
		edit("-", Text, func(n jsonb.Node, v schema.Value) (jsonb.Node, error) { return jsonb.DeleteKeys(n, [][]byte{v.Ref()}) }),
		edit("-", Int4, func(n jsonb.Node, v schema.Value) (jsonb.Node, error) { return jsonb.DeleteAt(n, int(v.Int())) }),
		edit("-", Text.Array(), func(n jsonb.Node, v schema.Value) (jsonb.Node, error) {
			keys, err := keysOf(v, true)
			if err != nil {
				return n, err
			}
			return jsonb.DeleteKeys(n, keys)
		}),
		edit("#-", Text.Array(), func(n jsonb.Node, v schema.Value) (jsonb.Node, error) {
			path, err := keysOf(v, false)
			if err != nil {
				return n, err
			}
			return jsonb.DeletePath(n, path)
		}),
		unary("jsonb_strip_nulls", JSONB, JSONB, func(v schema.Value) (schema.Value, error) {
			n, err := jsonb.Parse(v.Ref())
			if err != nil {
				return schema.Null(), err
			}
			n = jsonb.StripNulls(n)
			return schema.JSON(n.Append(nil)), nil
		}),
	}
}

// keysOf gives the texts of an array of one dimension.
func keysOf(v schema.Value, skipNulls bool) (keys [][]byte, err error) {
	if len(dimensions(v)) > 1 {
		return nil, fault.New("2202E", "wrong number of array subscripts")
	}
	for i, e := range v.Elements() {
		switch {
		case !e.IsNull():
			keys = append(keys, e.Ref())
		case !skipNulls:
			return nil, fault.New("22004", "path element at position %d is null", i+1)
		}
	}
	return keys, nil
}
