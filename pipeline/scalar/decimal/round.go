package decimal

import (
	"math/big"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// rounding says what becomes of digits that are cut.
type rounding uint8

const (
	halfUp  rounding = iota // half away from zero
	down                    // towards zero
	floor                   // towards -infinity
	ceiling                 // towards infinity
)

// divide is n / m, rounded.
func divide(n, m *big.Int, mode rounding) *big.Int {
	q, r := new(big.Int).QuoRem(n, m, new(big.Int))
	if r.Sign() == 0 {
		return q
	}
	sign := int64(n.Sign() * m.Sign())
	switch {
	case mode == halfUp && r.Abs(r).Lsh(r, 1).CmpAbs(m) >= 0,
		mode == floor && sign < 0,
		mode == ceiling && sign > 0:
		q.Add(q, big.NewInt(sign))
	}
	return q
}

// round gives d at a scale, which may be negative; the digits lost are rounded.
func (d Decimal) round(scale int, mode rounding) Decimal {
	if d.class != finite {
		return d
	}
	shown := max(scale, 0)
	cut := int(d.scale) - scale
	if cut <= 0 {
		return d.pad(shown)
	}
	if cut > d.digits()+1 && mode <= down {
		return New(0, shown)
	}
	if d.big == nil && cut <= 18 {
		n := divideSmall(d.small, int64(pow10small(cut)), mode)
		if n, ok := rescale(n, max(-scale, 0)); ok {
			return New(n, shown)
		}
	}
	n := divide(d.Coefficient(), pow10(cut), mode)
	if scale < 0 {
		n.Mul(n, pow10(-scale))
	}
	return NewBig(n, shown)
}

func divideSmall(n, m int64, mode rounding) int64 {
	q, r := n/m, n%m
	switch {
	case r == 0:
	case mode == halfUp && magnitude(r)*2 >= uint64(m):
		q += signOf(r)
	case mode == floor && r < 0:
		q--
	case mode == ceiling && r > 0:
		q++
	}
	return q
}

func signOf(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}

// pad shows more digits.
func (d Decimal) pad(scale int) Decimal {
	if n, ok := rescale(d.small, scale-int(d.scale)); ok && d.big == nil {
		return New(n, scale)
	}
	return NewBig(d.scaled(int32(scale)), scale)
}

// clampScale bounds the second argument of round and trunc by what the format
// holds.
func clampScale(scale int) int { return min(max(scale, -maxWholeDigits), maxScale) }

// Round is round(d, scale): half away from zero, negative scales before the point.
func (d Decimal) Round(scale int) (Decimal, error) {
	return checked(d.round(clampScale(scale), halfUp))
}

// Trunc is trunc(d, scale).
func (d Decimal) Trunc(scale int) Decimal {
	return d.round(clampScale(scale), down)
}

// Floor and Ceil give integers.
func (d Decimal) Floor() Decimal { return d.round(0, floor) }

// Ceil is the least integer that is not less than d.
func (d Decimal) Ceil() Decimal { return d.round(0, ceiling) }

// Fit makes d a numeric(precision, scale).
func (d Decimal) Fit(precision, scale int) (Decimal, error) {
	switch {
	case d.class == nan:
		return d, nil
	case d.class != finite:
		return d, fieldOverflow()
	}
	d = d.round(scale, halfUp)
	if d.Sign() != 0 && d.wholeDigits() > precision-scale {
		return d, fieldOverflow()
	}
	return d, nil
}

func fieldOverflow() error { return fault.New("22003", "numeric field overflow") }

// TrimScale drops zeros at the end.
func (d Decimal) TrimScale() Decimal { return d.round(d.MinScale(), down) }

// MinScale is how many digits behind the point are needed.
func (d Decimal) MinScale() int {
	if d.Sign() == 0 {
		return 0
	}
	text := d.Append(nil)
	scale := int(d.scale)
	for i := len(text) - 1; scale > 0 && text[i] == '0'; i-- {
		scale--
	}
	return scale
}

// Int64 is d rounded half away from zero; ok is false if it has no int64, and
// for NaN and the infinities.
func (d Decimal) Int64() (n int64, ok bool) {
	r := d.round(0, halfUp)
	return r.small, r.class == finite && r.big == nil
}
