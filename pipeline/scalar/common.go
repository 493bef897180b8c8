package scalar

import (
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// CommonType is the type that CASE, COALESCE, GREATEST, VALUES, UNION and ARRAY
// give several expressions: text if all are literals, else the first type that
// the others can be cast to implicitly, the preferred one of its category first.
// The modifiers stay if all agree on them.
func CommonType(types ...schema.Type) (schema.Type, error) {
	var picked *schema.Type
	for i := range types {
		t := &types[i]
		if Identify(t) == Unknown {
			continue
		}
		if picked == nil {
			picked = t
			continue
		}
		next, err := commoner(picked, t)
		if err != nil {
			return schema.Type{}, err
		}
		picked = next
	}
	if picked == nil {
		return Text.Type(), nil
	}
	if err := reachable(picked, types); err != nil {
		return schema.Type{}, err
	}
	return commonMods(picked, types), nil
}

func commoner(a, b *schema.Type) (*schema.Type, error) {
	x, y := Identify(a), Identify(b)
	switch {
	case equalTypes(a, b):
		return a, nil
	case category(x) != category(y) || x.Elem() == None || y.Elem() == None || x.Elem() == Enum || y.Elem() == Enum:
		return nil, fault.New("42804", "types %s and %s cannot be matched", typeName(a), typeName(b))
	case preferred(x):
		return a, nil
	case implicit(x, y) && !implicit(y, x):
		return b, nil
	}
	return a, nil
}

// reachable refuses a type that one of the others cannot become.
func reachable(picked *schema.Type, types []schema.Type) error {
	to := Identify(picked)
	for i := range types {
		from := Identify(&types[i])
		if from != Unknown && !equalTypes(picked, &types[i]) && !implicit(from, to) {
			return fault.New("42846", "could not convert type %s to %s", typeName(&types[i]), typeName(picked))
		}
	}
	return nil
}

func commonMods(picked *schema.Type, types []schema.Type) schema.Type {
	for i := range types {
		if types[i].Name != picked.Name {
			return plain(picked)
		}
	}
	return *picked
}
