package sandbox

import (
	"errors"

	"go.starlark.net/lib/json"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// A meter counts what one call makes, and guards every operation.
type meter struct {
	limits Limits
	made   int64
	full   bool   // more was made than is allowed
	long   bool   // a step took more than there are
	why    string // what a guard refused, in words without a value
}

var errStopped = errors.New("stopped")

// bytesPerStep is how much of a value one step works through.
const bytesPerStep = 64

// slot is what an element of a list takes.
const slot = 16

// builtins are what a script may name beside its own: the guards, JSON, and a range
// that is bounded.
func (m *meter) builtins() starlark.StringDict {
	return starlark.StringDict{
		guardCall:   starlark.NewBuiltin(guardCall, m.call),
		guardBinary: starlark.NewBuiltin(guardBinary, m.binary),
		guardAdd:    starlark.NewBuiltin(guardAdd, m.add),
		guardSlice:  starlark.NewBuiltin(guardSlice, m.slice),
		guardKey:    starlark.NewBuiltin(guardKey, m.key),
		"json":      json.Module,
		"print":     starlark.None,
	}
}

func (m *meter) refuse(why string) error {
	if m.why == "" {
		m.why = why
	}
	return errStopped
}

// make counts bytes before they are made.
func (m *meter) make(n int64) error {
	if m.made += n; n < 0 || m.made > m.limits.Bytes {
		m.full = true
		return errStopped
	}
	return nil
}

// work counts what an operation goes through.
func (m *meter) work(t *starlark.Thread, list ...starlark.Value) error {
	for _, v := range list {
		t.Steps += uint64(size(v) / bytesPerStep)
	}
	if t.Steps > m.limits.Steps {
		m.long = true
		return errStopped
	}
	return nil
}

// through counts what an operation goes through that compares or hashes values with
// all that they refer to.
func (m *meter) through(t *starlark.Thread, times int, list ...starlark.Value) error {
	for _, v := range list {
		left := int64(m.limits.Steps-min(m.limits.Steps, t.Steps)) * slot
		t.Steps += uint64(times) * uint64(deep(v, left)/slot)
		if t.Steps > m.limits.Steps {
			m.long = true
			return errStopped
		}
	}
	return nil
}

// size is roughly what a value takes itself, without what it refers to.
func size(v starlark.Value) int64 {
	switch v := v.(type) {
	case starlark.String:
		return int64(len(v))
	case starlark.Bytes:
		return int64(len(v))
	case starlark.Int:
		return int64(v.BigInt().BitLen() / 8)
	case *starlark.Dict:
		return int64(v.Len()) * 4 * slot
	case starlark.Sequence:
		return int64(v.Len()) * slot
	}
	return 0
}

// deep is what a value takes with all that it refers to, as often as it does; the
// walk ends above most.
func deep(v starlark.Value, most int64) int64 {
	n := size(v) + slot
	if _, text := v.(starlark.String); text || n > most {
		return n
	}
	if d, ok := v.(*starlark.Dict); ok {
		for _, item := range d.Items() {
			if n += deep(item[0], most-n) + deep(item[1], most-n); n > most {
				return n
			}
		}
		return n
	}
	if s, ok := v.(*starlark.Set); ok {
		for _, e := range elementsOf(s) {
			if n += deep(e, most-n); n > most {
				return n
			}
		}
		return n
	}
	if list, ok := v.(starlark.Indexable); ok {
		if _, isRange := v.(interface {
			Slice(int, int, int) starlark.Value
		}); isRange || list.Len() > 0 {
			for i := range list.Len() {
				if n += deep(list.Index(i), most-n); n > most {
					return n
				}
			}
		}
	}
	return n
}

// call guards fn(args).
func (m *meter) call(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	fn, args := args[0], args[1:]
	if err := m.work(t, args...); err != nil {
		return nil, err
	}
	if b, ok := fn.(*starlark.Builtin); ok {
		if err := m.builtin(t, b, args, kwargs); err != nil {
			return nil, err
		}
	}
	v, err := starlark.Call(t, fn, args, kwargs)
	if err != nil {
		return nil, err
	}
	if b, ok := fn.(*starlark.Builtin); ok && b.Name() != "range" {
		err = m.make(size(v))
	}
	return v, err
}

// builtin guards what can make much of little.
func (m *meter) builtin(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) error {
	if err := m.work(t, b.Receiver()); b.Receiver() != nil && err != nil {
		return err
	}
	for _, kv := range kwargs {
		if _, is := kv[1].(*starlark.Builtin); is {
			return m.refuse("a built-in function is given to another here: write lambda x: f(x)")
		}
	}
	if err := m.compared(t, b, args); err != nil {
		return err
	}
	left := m.limits.Bytes - m.made
	switch b.Name() {
	case "range":
		return m.ranged(args)
	case "format":
		return m.refuse("format is not there: write + here")
	case "replace":
		return m.replaced(b.Receiver(), args)
	case "join":
		return m.joined(b.Receiver(), args)
	case "str", "repr", "hash", "json.encode", "json.indent", "json.encode_indent", "fail", "print":
		for _, a := range args {
			if n := deep(a, left); n > left {
				return m.make(n)
			}
		}
	case "extend", "update", "dict", "list", "tuple", "set", "sorted", "reversed", "enumerate", "zip", "json.decode":
		for _, a := range args {
			if err := m.make(4 * size(a)); err != nil {
				return err
			}
		}
	}
	return nil
}

// compared counts the values that a built-in function compares or hashes: for
// sorting each several times.
func (m *meter) compared(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple) error {
	switch b.Name() {
	case "sorted":
		return m.through(t, sortingRounds, args...)
	case "min", "max", "dict", "set", "hash", "update", "add", "discard", "get", "pop", "setdefault", "union", "intersection", "difference",
		"symmetric_difference", "issubset", "issuperset":
		return m.through(t, 1, args...)
	case "index", "remove", "count":
		return m.through(t, 1, append(starlark.Tuple{b.Receiver()}, args...)...)
	}
	return nil
}

// sortingRounds is more often than an element of as many as a script may have is
// compared.
const sortingRounds = 32

// key counts a value that is looked for in a dict, or put there.
func (m *meter) key(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	if _, nested := args[0].(starlark.Tuple); nested {
		return args[0], m.through(t, 1, args[0])
	}
	return args[0], nil
}

func (m *meter) ranged(args starlark.Tuple) error {
	for _, a := range args {
		if n, err := starlark.AsInt32(a); err != nil || uint64(max(n, -n)) > m.limits.Steps {
			m.long = true
			return errStopped
		}
	}
	return nil
}

func (m *meter) replaced(receiver starlark.Value, args starlark.Tuple) error {
	text, ok := receiver.(starlark.String)
	if !ok || len(args) < 2 {
		return nil
	}
	old, _ := args[0].(starlark.String)
	with, _ := args[1].(starlark.String)
	return m.make(int64(len(text)) + int64(len(text)/max(1, len(old))+1)*int64(len(with)))
}

func (m *meter) joined(receiver starlark.Value, args starlark.Tuple) error {
	sep, ok := receiver.(starlark.String)
	if !ok || len(args) != 1 {
		return nil
	}
	list, ok := args[0].(starlark.Indexable)
	if !ok {
		return m.refuse("join takes a list or a tuple here")
	}
	for i := range list.Len() {
		if err := m.make(int64(len(sep)) + size(list.Index(i))); err != nil {
			return err
		}
	}
	return nil
}

// binary guards x op y.
func (m *meter) binary(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	code, _ := starlark.AsInt32(args[0])
	op, x, y := syntax.Token(code), args[1], args[2]
	if err := m.work(t, x, y); err != nil {
		return nil, err
	}
	switch op {
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		if err := m.through(t, 1, x, y); err != nil {
			return nil, err
		}
		ok, err := starlark.Compare(op, x, y)
		return starlark.Bool(ok), err
	case syntax.STAR:
		if err := m.repeated(x, y); err != nil {
			return nil, err
		}
	case syntax.PERCENT:
		switch x.(type) {
		case starlark.String, starlark.Bytes:
			return nil, m.refuse("% makes no texts: write + here")
		}
	case syntax.LTLT:
		if n, err := starlark.AsInt32(y); err != nil || n > 4096 {
			return nil, m.refuse("a shift of more than 4096 bits")
		}
	case syntax.IN, syntax.PIPE, syntax.AMP, syntax.CIRCUMFLEX, syntax.MINUS:
		if err := m.through(t, 1, x, y); err != nil {
			return nil, err
		}
	case syntax.NOT_IN:
		if err := m.through(t, 1, x, y); err != nil {
			return nil, err
		}
		v, err := starlark.Binary(syntax.IN, x, y)
		if err != nil {
			return nil, err
		}
		return !v.Truth(), nil
	}
	v, err := starlark.Binary(op, x, y)
	if err != nil {
		return nil, err
	}
	return v, m.make(size(v))
}

// repeated counts what x * y would make, for texts and lists.
func (m *meter) repeated(x, y starlark.Value) error {
	n, ok := x.(starlark.Int)
	of := y
	if !ok {
		n, ok = y.(starlark.Int)
		of = x
	}
	if !ok {
		return nil
	}
	if _, isInt := of.(starlark.Int); isInt {
		return m.make(size(x) + size(y))
	}
	times, fits := n.Int64()
	if times <= 0 && fits {
		return nil
	}
	if one := size(of); !fits || one > 0 && times > m.limits.Bytes/one {
		return m.make(m.limits.Bytes + 1)
	}
	return nil
}

// add guards x += y: a list takes what y has.
func (m *meter) add(t *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	list, ok := args[1].(*starlark.List)
	more, iterable := args[2].(starlark.Iterable)
	if !ok || !iterable {
		return m.binary(t, b, args, kwargs)
	}
	if err := m.work(t, args[2]); err != nil {
		return nil, err
	}
	if err := m.make(size(args[2])); err != nil {
		return nil, err
	}
	for _, v := range elementsOf(more) { // which may be the list itself

		if err := list.Append(v); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func elementsOf(x starlark.Iterable) (all []starlark.Value) {
	iter := x.Iterate()
	defer iter.Done()
	for v := starlark.Value(nil); iter.Next(&v); {
		all = append(all, v)
	}
	return all
}

// slice counts a part that was copied.
func (m *meter) slice(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return args[0], m.make(size(args[0]))
}
