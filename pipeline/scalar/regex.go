package scalar

import (
	"bytes"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/pattern"
	"github.com/evertdb/evert/schema"
)

// regexOverloads are the operators and functions of regular expressions, under
// collation C.
func regexOverloads() []overload {
	var list []overload
	for _, op := range [...]struct {
		name       string
		fold, want bool
	}{{"~", false, true}, {"!~", false, false}, {"~*", true, true}, {"!~*", true, false}} {
		for _, left := range [...]ID{Text, BPChar} {
			list = append(list, overload{name: op.name, args: []ID{left, Text}, result: Bool, make: regexMaker(false, func(r *pattern.Regex, v []schema.Value) (schema.Value, error) {
				return truth(r.Match(v[0].Ref()) == op.want)
			}, op.fold)})
		}
	}
	list = append(list, withFlags("regexp_like", []ID{Text, Text}, Bool, 2, false, func(r *pattern.Regex, v []schema.Value, _ bool) (schema.Value, error) {
		return truth(r.Match(v[0].Ref()))
	})...)
	list = append(list, withFlags("regexp_match", []ID{Text, Text}, Text.Array(), 2, true, regexpMatch)...)
	list = append(list, withFlags("regexp_replace", []ID{Text, Text, Text}, Text, 3, true, regexpReplace)...)
	list = append(list, withFlags("regexp_split_to_array", []ID{Text, Text}, Text.Array(), 2, true, regexpSplit)...)
	list = append(list,
		overload{name: "regexp_count", args: []ID{Text, Text}, result: Int4, make: regexMaker(true, regexpCount, false)},
		overload{name: "substring", args: []ID{Text, Text}, result: Text, make: regexMaker(true, regexpSubstring, false)})
	return needing(CCollation, list...)
}

type regexFunc = func(r *pattern.Regex, v []schema.Value) (schema.Value, error)

// regexMaker compiles the second argument; places says that the answer depends on
// where a match is.
func regexMaker(places bool, f regexFunc, fold bool) maker {
	return func([]schema.Type, *schema.Type) (evalFunc, error) {
		compile := remembered(func(p []byte) (*pattern.Regex, error) { return pattern.CompileRegex(p, fold) })
		return func(v []schema.Value) (schema.Value, error) {
			r, err := compile(v[1].Ref())
			if err == nil && places {
				err = r.Exact(false)
			}
			if err != nil {
				return schema.Null(), err
			}
			return f(r, v)
		}, nil
	}
}

// withFlags gives a function without and with flags as its last argument: i for
// either case, g for all matches where the function knows it.
func withFlags(name string, args []ID, r ID, at int, places bool, f func(r *pattern.Regex, v []schema.Value, all bool) (schema.Value, error)) []overload {
	plain := overload{name: name, args: args, result: r, make: regexMaker(places, func(r *pattern.Regex, v []schema.Value) (schema.Value, error) {
		return f(r, v, false)
	}, false)}
	flagged := overload{name: name, args: append(args[:at:at], Text), result: r, make: func([]schema.Type, *schema.Type) (evalFunc, error) {
		exact := remembered(func(p []byte) (*pattern.Regex, error) { return pattern.CompileRegex(p, false) })
		folded := remembered(func(p []byte) (*pattern.Regex, error) { return pattern.CompileRegex(p, true) })
		return func(v []schema.Value) (schema.Value, error) {
			fold, all, err := readFlags(v[at].Ref())
			if all && name != "regexp_replace" {
				err = fault.Parameter("%s() does not support the \"global\" option", name)
			}
			if err != nil {
				return schema.Null(), err
			}
			compile := exact
			if fold {
				compile = folded
			}
			r, err := compile(v[1].Ref())
			if err == nil && places {
				err = r.Exact(false)
			}
			if err != nil {
				return schema.Null(), err
			}
			return f(r, v, all)
		}, nil
	}}
	return []overload{plain, flagged}
}

func readFlags(flags []byte) (fold, all bool, err error) {
	for _, c := range flags {
		switch c {
		case 'i':
			fold = true
		case 'c':
			fold = false
		case 'g':
			all = true
		case 's', 't':
		case 'b', 'e', 'm', 'n', 'p', 'q', 'w', 'x':
			return false, false, fault.Unsupported("the flag %c of regular expressions is not known", c)
		default:
			return false, false, fault.Parameter("invalid regular expression option")
		}
	}
	return fold, all, nil
}

// regexpMatch gives the groups of the first match, or all of it without groups.
func regexpMatch(r *pattern.Regex, v []schema.Value, _ bool) (schema.Value, error) {
	if err := r.Exact(true); err != nil {
		return schema.Null(), err
	}
	at := r.Find(v[0].Ref(), 0)
	if at == nil {
		return schema.Null(), nil
	}
	var parts []schema.Value
	for g := min(1, r.Groups); g <= r.Groups; g++ {
		parts = append(parts, cutAt(v[0], at, g))
	}
	return schema.Array(schema.AppendArray(nil, parts...)), nil
}

func cutAt(v schema.Value, at []int, group int) schema.Value {
	from, to := at[2*group], at[2*group+1]
	if from < 0 {
		return schema.Null()
	}
	return text(v.Ref()[from:to])
}

// regexpSubstring gives the first group of the first match, or all of it.
func regexpSubstring(r *pattern.Regex, v []schema.Value) (schema.Value, error) {
	if err := r.Exact(true); err != nil {
		return schema.Null(), err
	}
	at := r.Find(v[0].Ref(), 0)
	if at == nil {
		return schema.Null(), nil
	}
	return cutAt(v[0], at, min(1, r.Groups)), nil
}

func regexpReplace(r *pattern.Regex, v []schema.Value, all bool) (schema.Value, error) {
	if err := r.Exact(usesGroups(v[2].Ref())); err != nil {
		return schema.Null(), err
	}
	return text(r.Replace(v[0].Ref(), v[2].Ref(), all)), nil
}

// usesGroups reports whether a replacement names a group.
func usesGroups(replacement []byte) bool {
	for i := 0; i+1 < len(replacement); i++ {
		if replacement[i] != '\\' {
			continue
		}
		if i++; replacement[i] >= '1' && replacement[i] <= '9' {
			return true
		}
	}
	return false
}

func regexpCount(r *pattern.Regex, v []schema.Value) (schema.Value, error) {
	n := int64(0)
	r.All(v[0].Ref(), func([]int) bool { n++; return true })
	return schema.Int(n), nil
}

// regexpSplit cuts at matches; empty ones at the ends, or right behind another
// match, do not count.
func regexpSplit(r *pattern.Regex, v []schema.Value, _ bool) (schema.Value, error) {
	b := v[0].Ref()
	var parts []schema.Value
	cut, end := 0, 0
	r.All(b, func(at []int) bool {
		if at[0] < len(b) && at[1] > end {
			parts = append(parts, text(bytes.Clone(b[cut:at[0]])))
			cut = at[1]
		}
		end = at[1]
		return true
	})
	parts = append(parts, text(b[cut:]))
	return schema.Array(schema.AppendArray(nil, parts...)), nil
}
