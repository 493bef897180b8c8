package scalar

import (
	"bytes"
	"sync/atomic"

	"github.com/evertdb/evert/pipeline/scalar/pattern"
	"github.com/evertdb/evert/schema"
)

// likeOverloads are LIKE, ILIKE and their negations.
func likeOverloads() []overload {
	var list []overload
	for _, op := range [...]struct {
		name string
		fold bool
		want bool
	}{{"~~", false, true}, {"!~~", false, false}, {"~~*", true, true}, {"!~~*", true, false}} {
		for _, left := range [...]ID{Text, BPChar, Bytea} {
			if left == Bytea && op.fold {
				continue
			}
			right, needs := Text, BytesCollation
			switch {
			case left == Bytea:
				right, needs = Bytea, NoCollation
			case op.fold:
				needs = CCollation
			}
			o := pattern.Options{Fold: op.fold, Bytes: left == Bytea}
			list = append(list, overload{name: op.name, args: []ID{left, right}, result: Bool, needs: needs, make: likeMaker(o, op.want)})
		}
	}
	return append(list, binary("like_escape", Text, Text, Text, func(p, e schema.Value) (schema.Value, error) {
		b, err := pattern.Escape(p.Ref(), e.Ref())
		if err != nil {
			return schema.Null(), err
		}
		return text(b), nil
	}))
}

func likeMaker(o pattern.Options, want bool) maker {
	return func([]schema.Type, *schema.Type) (evalFunc, error) {
		compile := remembered(func(p []byte) (*pattern.Like, error) { return pattern.CompileLike(p, o) })
		return func(v []schema.Value) (schema.Value, error) {
			l, err := compile(v[1].Ref())
			if err != nil {
				return schema.Null(), err
			}
			return truth(l.Match(v[0].Ref()) == want)
		}, nil
	}
}

// remembered keeps what the last pattern compiled to: most are constants.
func remembered[T any](compile func(p []byte) (T, error)) func(p []byte) (T, error) {
	type entry struct {
		pattern  []byte
		compiled T
	}
	var last atomic.Pointer[entry]
	return func(p []byte) (T, error) {
		if e := last.Load(); e != nil && bytes.Equal(e.pattern, p) {
			return e.compiled, nil
		}
		c, err := compile(p)
		if err == nil {
			last.Store(&entry{bytes.Clone(p), c})
		}
		return c, err
	}
}
