package scalar

import (
	"slices"
	"strings"

	"github.com/evertdb/evert/schema"
)

// resolve picks the overload that Postgres would, by the steps of its chapter
// "Type Conversion": an exact match; else, of those that can be reached by
// implicit casts, those with most exact arguments, then most preferred types,
// then by what the unknown arguments may be.
func resolve(name string, candidates []overload, args []schema.Type) (*overload, error) {
	ids := make([]ID, len(args))
	for i := range args {
		ids[i] = Identify(&args[i])
	}
	calls := callable(candidates, args, ids)
	if (isOperator(name) || strings.HasSuffix(name, "distinct from")) && len(ids) == 2 {
		if c := alike(calls, ids); c != nil {
			return c, nil
		}
	}
	if c := exact(calls, ids); c != nil {
		return c, nil
	}
	switch len(calls) {
	case 0:
		return nil, unreached(name, candidates, args, ids)
	case 1:
		return calls[0].overload, nil
	}
	if calls = narrow(calls, args, ids); len(calls) == 1 {
		return calls[0].overload, nil
	}
	return nil, ambiguous(name, args)
}

// unreached says why no candidate can be called. Where there is one only, and each
// argument would do, they do not go together.
func unreached(name string, candidates []overload, args []schema.Type, ids []ID) error {
	if len(candidates) != 1 {
		return undefinedFunction(name, args)
	}
	pattern, ok := candidates[0].arity(len(ids))
	if !ok || !slices.EqualFunc(pattern, ids, accepts) {
		return undefinedFunction(name, args)
	}
	if _, err := unify(pattern, args); err != nil {
		return err
	}
	return undefinedFunction(name, args)
}

// A call is a candidate with its pattern for this many arguments.
type call struct {
	overload *overload
	pattern  []ID
}

// callable keeps what implicit casts can reach.
func callable(candidates []overload, args []schema.Type, ids []ID) []call {
	var calls []call
	for i := range candidates {
		pattern, ok := candidates[i].arity(len(ids))
		if ok && reaches(pattern, args, ids) {
			calls = append(calls, call{&candidates[i], pattern})
		}
	}
	return calls
}

func reaches(pattern []ID, args []schema.Type, ids []ID) bool {
	for i, want := range pattern {
		if !accepts(want, ids[i]) {
			return false
		}
	}
	_, err := unify(pattern, args)
	return err == nil
}

// accepts reports whether an argument may stand where want is asked for.
func accepts(want, have ID) bool {
	switch want {
	case anyType, anyElement, anyCompatible:
		return true
	case anyNonArray:
		return !have.IsArray()
	case anyEnum:
		return have == Enum || have == Unknown
	case anyArray, anyCompatibleArray:
		return have.IsArray() || have == Unknown
	}
	return want == have || have == Unknown || implicit(have, want)
}

// alike is the rule for an operator with one unknown argument: it is taken for
// the type of the other.
func alike(calls []call, ids []ID) *overload {
	left, right := ids[0], ids[1]
	switch {
	case left == Unknown && right != Unknown:
		left = right
	case right == Unknown && left != Unknown:
		right = left
	default:
		return nil
	}
	return exact(calls, []ID{left, right})
}

func exact(calls []call, ids []ID) *overload {
	for _, c := range calls {
		if slices.Equal(c.pattern, ids) {
			return c.overload
		}
	}
	return nil
}

// narrow applies the rules of preference in turn.
func narrow(calls []call, args []schema.Type, ids []ID) []call {
	calls = best(calls, func(c call) int {
		return count(c.pattern, ids, func(want, have ID) bool { return want == have && have != Unknown })
	})
	if len(calls) == 1 {
		return calls
	}
	calls = best(calls, func(c call) int {
		return count(c.pattern, ids, func(want, have ID) bool {
			return have != Unknown && (want == have || preferred(want) && category(want) == category(have))
		})
	})
	if len(calls) == 1 || !slices.Contains(ids, Unknown) {
		return calls
	}
	if byCategory := guess(calls, ids); len(byCategory) > 0 {
		calls = byCategory
	}
	if len(calls) == 1 {
		return calls
	}
	return assumeSame(calls, args, ids)
}

// best keeps the calls with the highest score.
func best(calls []call, score func(call) int) []call {
	top, kept := -1, []call(nil)
	for _, c := range calls {
		switch s := score(c); {
		case s > top:
			top, kept = s, []call{c}
		case s == top:
			kept = append(kept, c)
		}
	}
	return kept
}

func count(pattern, ids []ID, hit func(want, have ID) bool) int {
	n := 0
	for i := range pattern {
		if hit(pattern[i], ids[i]) {
			n++
		}
	}
	return n
}

// guess decides by the category of what candidates accept where the argument is
// unknown: string if any does, otherwise the one they agree on; and within it
// the preferred type.
func guess(calls []call, ids []ID) []call {
	for i := range ids {
		if ids[i] != Unknown {
			continue
		}
		cat, ok := agreed(calls, i)
		if !ok {
			return nil
		}
		calls = keep(calls, func(c call) bool { return category(c.pattern[i]) == cat })
		if slices.ContainsFunc(calls, func(c call) bool { return preferred(c.pattern[i]) }) {
			calls = keep(calls, func(c call) bool { return preferred(c.pattern[i]) })
		}
	}
	return calls
}

func agreed(calls []call, i int) (cat byte, ok bool) {
	cat, ok = category(calls[0].pattern[i]), true
	for _, c := range calls {
		switch have := category(c.pattern[i]); {
		case have == 'S':
			return 'S', true
		case have != cat:
			ok = false
		}
	}
	return cat, ok
}

// assumeSame is the last resort: if all known arguments have one type, the
// unknown ones are taken for it.
func assumeSame(calls []call, args []schema.Type, ids []ID) []call {
	known, same := Unknown, slices.Clone(args)
	for i, id := range ids {
		switch {
		case id == Unknown || id == known:
		case known == Unknown:
			known = id
			for j := range same {
				same[j] = args[i]
			}
		default:
			return calls
		}
	}
	if known == Unknown {
		return calls
	}
	all := slices.Repeat([]ID{known}, len(ids))
	return keep(calls, func(c call) bool { return reaches(c.pattern, same, all) })
}

func keep(calls []call, ok func(call) bool) []call {
	var kept []call
	for _, c := range calls {
		if ok(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

// category is typcategory.
func category(id ID) byte {
	if id.IsArray() && id.Elem() < anyType {
		return 'A'
	}
	switch id.Elem() {
	case Bool:
		return 'B'
	case Int2, Int4, Int8, Float4, Float8, Numeric:
		return 'N'
	case Text, Varchar, BPChar:
		return 'S'
	case Date, Time, Timestamp, Timestamptz:
		return 'D'
	case Interval:
		return 'T'
	case Unknown:
		return 'X'
	case Enum:
		return 'E'
	case anyElement, anyCompatible, anyType, anyEnum, anyNonArray:
		return 'P'
	}
	return 'U'
}

// preferred is typispreferred.
func preferred(id ID) bool {
	switch id {
	case Bool, Float8, Text, Timestamptz, Interval:
		return true
	}
	return false
}

// implicit reports whether a value of one type stands where the other is asked
// for without anybody writing a cast.
func implicit(from, to ID) bool {
	if from.IsArray() && to.IsArray() {
		return from == to || implicit(from.Elem(), to.Elem())
	}
	switch from {
	case Int2:
		return to == Int4 || to == Int8 || to == Numeric || to == Float4 || to == Float8
	case Int4:
		return to == Int8 || to == Numeric || to == Float4 || to == Float8
	case Int8:
		return to == Numeric || to == Float4 || to == Float8
	case Numeric:
		return to == Float4 || to == Float8
	case Float4:
		return to == Float8
	case Text, Varchar, BPChar:
		return to == Text || to == Varchar || to == BPChar
	case Date:
		return to == Timestamp || to == Timestamptz
	case Timestamp:
		return to == Timestamptz
	case Time:
		return to == Interval
	}
	return false
}
