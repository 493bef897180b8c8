package scalar

import (
	"bytes"
	"cmp"

	"github.com/evertdb/evert/pipeline/scalar/jsonb"
	"github.com/evertdb/evert/schema"
)

// objectMaker makes jsonb_build_object: views of documents do little else. Where
// every argument prints as jsonb prints it, the object is written at once, its
// keys in jsonb's order; else it is printed as json and read again.
func objectMaker(types []schema.Type, result *schema.Type) (evalFunc, error) {
	printAndRead, err := jsonMaker(toObject, true)(types, result)
	if err != nil || len(types) > 2*mostPairs || len(types)%2 != 0 {
		return printAndRead, err
	}
	return func(v []schema.Value) (schema.Value, error) {
		for i := range v {
			if !isNormal(&types[i], v[i], i%2 == 0) {
				return printAndRead(v)
			}
		}
		return schema.JSON(appendObject(types, v)), nil
	}, nil
}

// mostPairs of an object are sorted on the stack.
const mostPairs = 32

// isNormal reports whether AppendJSON writes a value as jsonb prints it, and for
// a key, whether it is text.
func isNormal(t *schema.Type, v schema.Value, key bool) bool {
	switch v.Kind() {
	case schema.KindText:
		return bytes.IndexByte(v.Ref(), 0) < 0
	case schema.KindNull, schema.KindBool, schema.KindInt, schema.KindDecimal, schema.KindDate, schema.KindTimestamp:
		return !key
	case schema.KindJSON:
		return !key && t.Binary
	}
	return false
}

func appendObject(types []schema.Type, v []schema.Value) []byte {
	var space [mostPairs]int
	order := sortPairs(space[:0], v)
	size := 2
	for i := range v {
		size += v[i].Size() + 8
	}
	dst := append(make([]byte, 0, size), '{')
	for _, i := range order {
		if len(dst) > 1 {
			dst = append(dst, ", "...)
		}
		dst = append(jsonb.AppendString(dst, v[i].Ref()), ": "...)
		dst = AppendJSON(dst, &types[i+1], v[i+1])
	}
	return append(dst, '}')
}

// sortPairs gives the places of the keys in jsonb's order, shorter ones first; of
// equal ones only the last.
func sortPairs(order []int, v []schema.Value) []int {
	for i := 0; i < len(v); i += 2 {
		at, same := len(order), false
		for at > 0 && !same {
			c := compareKeys(v[order[at-1]].Ref(), v[i].Ref())
			if c < 0 {
				break
			}
			at, same = at-1, c == 0
		}
		if same {
			order[at] = i
			continue
		}
		order = append(order, 0)
		copy(order[at+1:], order[at:])
		order[at] = i
	}
	return order
}

func compareKeys(a, b []byte) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), bytes.Compare(a, b))
}
