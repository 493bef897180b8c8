package aggregate

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/schema"
)

// numerics sums decimals. The sum is kept at the largest scale present, so that it
// shows as many digits as Postgres's would, and gives digits back when their rows
// go.
type numerics struct {
	mean bool
	tally
	sum  big.Int
	term big.Int // scratch
}

// A tally counts the rows of each scale, and of what is no number.
type tally struct {
	scales          []scaleCount // ascending, none with 0 rows
	nans, high, low int64
}

type scaleCount struct {
	scale int
	rows  int64
}

// scale is the largest scale present.
func (t *tally) scale() int {
	if len(t.scales) == 0 {
		return 0
	}
	return t.scales[len(t.scales)-1].scale
}

func (t *tally) rows() int64 {
	n := t.nans + t.high + t.low
	for _, s := range t.scales {
		n += s.rows
	}
	return n
}

// number reads a value that is a number; ok is false where it is none: NULL, or counted
// by special.
func (t *tally) number(v schema.Value, weight int64) (d decimal.Decimal, ok bool, err error) {
	if v.IsNull() || weight == 0 {
		return d, false, nil
	}
	if d, err = decimal.Parse(v.Ref()); err != nil {
		return d, false, err
	}
	return d, !t.special(d, weight), nil
}

// special counts what is no number and reports whether d is none.
func (t *tally) special(d decimal.Decimal, weight int64) bool {
	switch {
	case d.IsNaN():
		t.nans += weight
	case d.IsInf() && d.Sign() > 0:
		t.high += weight
	case d.IsInf():
		t.low += weight
	default:
		return false
	}
	return true
}

// count counts rows of a scale and gives the largest scale before and after.
func (t *tally) count(scale int, weight int64) (before, after int) {
	before = t.scale()
	i, found := slices.BinarySearchFunc(t.scales, scale, func(s scaleCount, n int) int { return cmp.Compare(s.scale, n) })
	if !found {
		t.scales = slices.Insert(t.scales, i, scaleCount{scale: scale})
	}
	t.scales[i].rows += weight
	if t.scales[i].rows == 0 {
		t.scales = slices.Delete(t.scales, i, i+1)
	}
	return before, t.scale()
}

// extreme is the sum where not all rows are numbers; ok is false if they are.
func (t *tally) extreme() (d decimal.Decimal, ok bool) {
	switch {
	case t.nans > 0 || t.high > 0 && t.low > 0:
		return decimal.NaN(), true
	case t.high > 0:
		return decimal.Infinity(1), true
	case t.low > 0:
		return decimal.Infinity(-1), true
	}
	return d, false
}

func (t *tally) append(dst []byte) []byte {
	for _, n := range [...]int64{t.nans, t.high, t.low, int64(len(t.scales))} {
		dst = appendCount(dst, n)
	}
	for _, s := range t.scales {
		dst = appendCount(appendCount(dst, int64(s.scale)), s.rows)
	}
	return dst
}

func (t *tally) read(d *decoder) {
	t.nans, t.high, t.low = d.count(), d.count(), d.count()
	n := d.count()
	if n < 0 || n > int64(len(d.rest)) {
		d.bad, n = true, 0
	}
	t.scales = t.scales[:0]
	for range n {
		s := scaleCount{scale: int(d.count()), rows: d.count()}
		if s.scale < 0 || s.scale > maxScale || s.rows == 0 || len(t.scales) > 0 && s.scale <= t.scale() {
			d.bad = true
			return
		}
		t.scales = append(t.scales, s)
	}
}

// maxScale is that of a numeric.
const maxScale = 16_383

func (s *numerics) Add(v schema.Value, weight int64) error {
	d, ok, err := s.number(v, weight)
	if !ok {
		return err
	}
	// The sum first takes the scale that holds both it and the row, and then the
	// one that is left: what it loses there are zeros.
	before := s.scale()
	wide := max(before, d.Scale())
	rescale(&s.sum, before, wide)
	coefficient(&s.term, d)
	rescale(&s.term, d.Scale(), wide)
	accumulate(&s.sum, &s.term, weight)
	_, after := s.count(d.Scale(), weight)
	rescale(&s.sum, wide, after)
	return nil
}

// coefficient copies that of d.
func coefficient(into *big.Int, d decimal.Decimal) {
	if n, ok := d.Small(); ok {
		into.SetInt64(n)
		return
	}
	into.Set(d.Coefficient())
}

// rescale moves a number from one scale to another; down only over zeros.
func rescale(n *big.Int, from, to int) {
	switch {
	case from < to:
		n.Mul(n, power(to-from))
	case from > to:
		n.Quo(n, power(from-to))
	}
}

func power(n int) *big.Int {
	if n < 19 {
		p := int64(1)
		for range n {
			p *= 10
		}
		return big.NewInt(p)
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func (s *numerics) Result() (schema.Value, error) {
	rows := s.rows()
	if rows == 0 {
		return schema.Null(), nil
	}
	sum, special := s.extreme()
	if !special {
		sum = decimal.NewBig(new(big.Int).Set(&s.sum), s.scale())
	}
	if s.mean {
		return quotient(sum, rows)
	}
	sum, err := sum.Add(decimal.Int(0)) // checks the range
	if err != nil {
		return schema.Null(), err
	}
	return schema.Decimal(sum.Append(nil)), nil
}

func (s *numerics) Append(dst []byte) []byte { return appendNumber(s.append(dst), &s.sum) }

func (s *numerics) Read(state []byte) error {
	d := decoder{rest: state}
	s.read(&d)
	d.number(&s.sum)
	return d.end()
}
