package decimal

import (
	"math/big"
	"math/bits"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// Postgres keeps digits in groups of four around the point; scales of quotients
// and roots depend on where the first group lies.
const groupDigits = 4

// weight is the place of the first group that is not zero, counted from the one
// before the point, and its value; zeros for zero.
func (d Decimal) weight() (weight, first int) {
	n := d.wholeDigits()
	if d.Sign() == 0 {
		return 0, 0
	}
	weight = floorDiv(n-1, groupDigits)
	inGroup := n - weight*groupDigits // digits of d in its first group, 1 to 4
	return weight, d.leading(inGroup)
}

// leading gives the first n digits of d as a number, with zeros behind it if d
// has fewer.
func (d Decimal) leading(n int) int {
	if d.big == nil {
		m, have := magnitude(d.small), d.digits()
		if have > n {
			return int(m / pow10small(have-n))
		}
		return int(m * pow10small(n-have))
	}
	text := new(big.Int).Abs(d.Coefficient()).Append(nil, 10)
	value := 0
	for i := range n {
		value *= 10
		if i < len(text) {
			value += int(text[i] - '0')
		}
	}
	return value
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Div is d / e, rounded half away from zero at the scale that select_div_scale
// gives: at least 16 significant digits, and those of both arguments.
func (d Decimal) Div(e Decimal) (Decimal, error) {
	if d.class != finite || e.class != finite {
		return divSpecial(d, e)
	}
	if e.Sign() == 0 {
		return d, fault.DivisionByZero()
	}
	return checked(quotient(d, e, divScale(d, e), halfUp))
}

func divScale(d, e Decimal) int {
	w1, f1 := d.weight()
	w2, f2 := e.weight()
	weight := w1 - w2
	if f1 <= f2 {
		weight--
	}
	scale := max(minSignificant-weight*groupDigits, int(d.scale), int(e.scale), 0)
	return min(scale, maxDivScale)
}

func divSpecial(d, e Decimal) (Decimal, error) {
	switch {
	case d.class == nan || e.class == nan || d.IsInf() && e.IsInf():
		return NaN(), nil
	case e.IsInf():
		return Decimal{}, nil
	case e.Sign() == 0:
		return d, fault.DivisionByZero()
	}
	return Infinity(d.Sign() * e.Sign()), nil
}

// quotient is d / e at a scale.
func quotient(d, e Decimal, scale int, mode rounding) Decimal {
	shift := scale + int(e.scale) - int(d.scale)
	if q, ok := quotientSmall(d, e, shift, mode); ok {
		return New(q, scale)
	}
	n, m := d.Coefficient(), e.Coefficient()
	if shift >= 0 {
		n = new(big.Int).Mul(n, pow10(shift))
	} else {
		m = new(big.Int).Mul(m, pow10(-shift))
	}
	return NewBig(divide(n, m, mode), scale)
}

// quotientSmall divides where numbers and result fit 64 bits, and the shifted
// numerator 128.
func quotientSmall(d, e Decimal, shift int, mode rounding) (int64, bool) {
	if d.big != nil || e.big != nil || shift < 0 || shift > 19 || mode > down {
		return 0, false
	}
	m := magnitude(e.small)
	high, low := bits.Mul64(magnitude(d.small), pow10small(shift))
	if high >= m {
		return 0, false
	}
	q, r := bits.Div64(high, low, m)
	if mode == halfUp && r >= m-r {
		q++
	}
	if q == 0 || q > 1<<63-1 {
		return 0, q == 0
	}
	if (d.small < 0) != (e.small < 0) {
		return -int64(q), true
	}
	return int64(q), true
}

// DivInt is d / e, cut to an integer: div(d, e).
func (d Decimal) DivInt(e Decimal) (Decimal, error) {
	if d.class != finite || e.class != finite {
		return divSpecial(d, e)
	}
	if e.Sign() == 0 {
		return d, fault.DivisionByZero()
	}
	return checked(quotient(d, e, 0, down))
}

// Mod is the remainder of DivInt; it has the sign of d.
func (d Decimal) Mod(e Decimal) (Decimal, error) {
	switch {
	case d.class == nan || e.class == nan:
		return NaN(), nil
	case e.class == finite && e.Sign() == 0:
		return d, fault.DivisionByZero()
	case d.class != finite:
		return NaN(), nil
	case e.class != finite:
		return d, nil
	}
	scale := max(d.scale, e.scale)
	return NewBig(new(big.Int).Rem(d.scaled(scale), e.scaled(scale)), int(scale)), nil
}

// Sqrt is the square root of d, rounded half up.
func (d Decimal) Sqrt() (Decimal, error) {
	switch {
	case d.class == nan || d.class == plusInfinity:
		return d, nil
	case d.Sign() < 0:
		return d, fault.New("2201F", "cannot take square root of a negative number")
	}
	return d.SqrtAt(d.sqrtScale()), nil
}

// SqrtAt is the root of a number that is not negative, at a scale.
func (d Decimal) SqrtAt(scale int) Decimal {
	if d.Sign() == 0 {
		return New(0, scale)
	}
	// The root at two digits more than asked for, cut, rounds as the exact root
	// does: a root that is not an integer lies on no half.
	inner := scale + 2
	n := d.Coefficient()
	if shift := 2*inner - int(d.scale); shift >= 0 {
		n = new(big.Int).Mul(n, pow10(shift))
	} else {
		n = new(big.Int).Quo(n, pow10(-shift))
	}
	return NewBig(new(big.Int).Sqrt(n), inner).round(scale, halfUp)
}

func (d Decimal) sqrtScale() int {
	weight, _ := d.weight()
	var half int
	if weight >= 0 {
		half = weight*groupDigits/2 + 1
	} else {
		half = 1 - (1-weight*groupDigits)/2
	}
	return min(max(minSignificant-half, int(d.scale), 0), maxDivScale)
}
