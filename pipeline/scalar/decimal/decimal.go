// Package decimal computes with Postgres's numeric: exact decimals that carry a
// display scale, NaN and two infinities.
//
// Most amounts have fewer than 19 digits; these are computed in one int64 and
// allocate nothing. Everything else goes through math/big.
package decimal

import (
	"math/big"
	"math/bits"

	"github.com/evertdb/evert/pipeline/scalar/fault"
)

// A Decimal is a numeric. The zero Decimal is 0. It is immutable.
type Decimal struct {
	class class
	scale int32    // digits behind the point, as shown
	small int64    // the number without its point, unless big holds it
	big   *big.Int // nil if small holds it; never written to
}

type class uint8

const (
	finite class = iota
	nan
	plusInfinity
	minusInfinity
)

// What Postgres's format holds.
const (
	maxWholeDigits = 131_072 // before the point
	maxScale       = 16_383  // behind it
	minSignificant = 16      // of quotients and roots
	maxDivScale    = 1000    // behind the point of quotients and roots
)

// Int is an integer without fractional digits.
func Int(n int64) Decimal { return Decimal{small: n} }

// New is coefficient · 10^-scale, scale not negative.
func New(coefficient int64, scale int) Decimal {
	return Decimal{small: coefficient, scale: int32(scale)}
}

// NewBig is coefficient · 10^-scale. The coefficient is the Decimal's from now on.
func NewBig(coefficient *big.Int, scale int) Decimal {
	if coefficient.IsInt64() {
		return Decimal{small: coefficient.Int64(), scale: int32(scale)}
	}
	return Decimal{big: coefficient, scale: int32(scale)}
}

// NaN and the infinities.
func NaN() Decimal { return Decimal{class: nan} }

// Infinity has the sign of sign.
func Infinity(sign int) Decimal {
	if sign < 0 {
		return Decimal{class: minusInfinity}
	}
	return Decimal{class: plusInfinity}
}

// IsNaN reports whether d is NaN.
func (d Decimal) IsNaN() bool { return d.class == nan }

// IsInf reports whether d is an infinity.
func (d Decimal) IsInf() bool { return d.class == plusInfinity || d.class == minusInfinity }

// IsFinite reports whether d is a number.
func (d Decimal) IsFinite() bool { return d.class == finite }

// Scale is the number of digits shown behind the point.
func (d Decimal) Scale() int { return int(d.scale) }

// Sign is -1, 0 or 1; 0 for NaN.
func (d Decimal) Sign() int {
	switch {
	case d.class == plusInfinity:
		return 1
	case d.class == minusInfinity:
		return -1
	case d.big != nil:
		return d.big.Sign()
	case d.small < 0:
		return -1
	case d.small > 0:
		return 1
	}
	return 0
}

// Coefficient is d without its point; the caller must not change it.
func (d Decimal) Coefficient() *big.Int {
	if d.big != nil {
		return d.big
	}
	return big.NewInt(d.small)
}

// Neg is -d.
func (d Decimal) Neg() Decimal {
	switch {
	case d.class == plusInfinity:
		d.class = minusInfinity
	case d.class == minusInfinity:
		d.class = plusInfinity
	case d.big != nil || d.small == -1<<63:
		return NewBig(new(big.Int).Neg(d.Coefficient()), int(d.scale))
	}
	d.small = -d.small
	return d
}

// Abs is d without its sign.
func (d Decimal) Abs() Decimal {
	if d.Sign() < 0 {
		return d.Neg()
	}
	return d
}

// Add is d + e; its scale is the greater of the two.
func (d Decimal) Add(e Decimal) (Decimal, error) {
	if d.class != finite || e.class != finite {
		return addSpecial(d, e), nil
	}
	scale := max(d.scale, e.scale)
	if d.big == nil && e.big == nil {
		a, okA := rescale(d.small, int(scale-d.scale))
		b, okB := rescale(e.small, int(scale-e.scale))
		if sum := a + b; okA && okB && (a < 0) == (sum < b) {
			return Decimal{small: sum, scale: scale}, nil
		}
	}
	a, b := d.scaled(scale), e.scaled(scale)
	return checked(NewBig(new(big.Int).Add(a, b), int(scale)))
}

// Sub is d - e.
func (d Decimal) Sub(e Decimal) (Decimal, error) { return d.Add(e.Neg()) }

func addSpecial(d, e Decimal) Decimal {
	switch {
	case d.class == nan || e.class == nan:
		return NaN()
	case d.class == finite:
		return e
	case e.class == finite || d.class == e.class:
		return d
	}
	return NaN() // infinity - infinity
}

// Mul is d · e with all its digits, as long as the format holds them.
func (d Decimal) Mul(e Decimal) (Decimal, error) {
	if d.class != finite || e.class != finite {
		return mulSpecial(d, e), nil
	}
	scale := int(d.scale + e.scale)
	if d.big == nil && e.big == nil && scale <= maxScale {
		if n, ok := product(d.small, e.small); ok {
			return Decimal{small: n, scale: int32(scale)}, nil
		}
	}
	p := NewBig(new(big.Int).Mul(d.Coefficient(), e.Coefficient()), scale)
	if scale > maxScale {
		p = p.round(maxScale, halfUp)
	}
	return checked(p)
}

func mulSpecial(d, e Decimal) Decimal {
	if d.class == nan || e.class == nan || d.Sign() == 0 || e.Sign() == 0 {
		return NaN()
	}
	return Infinity(d.Sign() * e.Sign())
}

// product multiplies without overflow.
func product(a, b int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if high != 0 || low > 1<<63-1 {
		return 0, false
	}
	if (a < 0) != (b < 0) {
		return -int64(low), true
	}
	return int64(low), true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// rescale gives n with more zeros at its end.
func rescale(n int64, zeros int) (int64, bool) {
	if zeros == 0 || n == 0 {
		return n, true
	}
	if zeros > 18 {
		return 0, false
	}
	return product(n, int64(pow10small(zeros)))
}

// scaled gives the coefficient of d at a scale that is not less than its own.
func (d Decimal) scaled(scale int32) *big.Int {
	if scale == d.scale {
		return d.Coefficient()
	}
	return new(big.Int).Mul(d.Coefficient(), pow10(int(scale-d.scale)))
}

var smallPowers = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

func pow10small(n int) uint64 { return smallPowers[n] }

func pow10(n int) *big.Int {
	if n < len(smallPowers) {
		return new(big.Int).SetUint64(smallPowers[n])
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// checked refuses what Postgres's format does not hold.
func checked(d Decimal) (Decimal, error) {
	const bitsPerDigit = 3.3219280948873626
	if d.big == nil || float64(d.big.BitLen()) < float64(maxWholeDigits)*3.32 {
		return d, nil
	}
	if float64(d.big.BitLen()) < float64(maxWholeDigits+int(d.scale))*bitsPerDigit-4 {
		return d, nil
	}
	if d.wholeDigits() > maxWholeDigits {
		return d, overflow()
	}
	return d, nil
}

func overflow() error { return fault.New("22003", "value overflows numeric format") }

// wholeDigits counts the digits before the point; it is not positive for
// fractions that begin with zeros.
func (d Decimal) wholeDigits() int { return d.digits() - int(d.scale) }

// digits counts the digits of the coefficient, 0 of zero.
func (d Decimal) digits() int {
	if d.big == nil {
		n := 0
		for m := magnitude(d.small); m > 0; m /= 10 {
			n++
		}
		return n
	}
	return len(new(big.Int).Abs(d.big).Text(10))
}

// Small is the coefficient of d where it fits an int64.
func (d Decimal) Small() (n int64, ok bool) { return d.small, d.big == nil }
