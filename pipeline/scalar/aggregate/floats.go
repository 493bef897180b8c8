package aggregate

import (
	"math"
	"math/big"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// floats sums doubles exactly: every finite double is an integer times 2^-1074.
type floats struct {
	mean, single    bool
	rows            int64
	nans, high, low int64
	negativeZeros   int64
	sum             big.Int // in units of 2^-1074
	term            big.Int // scratch
}

// unitBits is the exponent of the least double.
const unitBits = 1074

func (s *floats) Add(v schema.Value, weight int64) error {
	if v.IsNull() {
		return nil
	}
	s.rows += weight
	f := v.Float()
	switch {
	case math.IsNaN(f):
		s.nans += weight
	case math.IsInf(f, 1):
		s.high += weight
	case math.IsInf(f, -1):
		s.low += weight
	case f == 0:
		if math.Signbit(f) {
			s.negativeZeros += weight
		}
	default:
		s.units(f)
		accumulate(&s.sum, &s.term, weight)
	}
	return nil
}

// units puts f into term.
func (s *floats) units(f float64) {
	bits := math.Float64bits(f)
	exponent := int(bits >> 52 & 0x7ff)
	mantissa := bits & (1<<52 - 1)
	if exponent > 0 {
		mantissa |= 1 << 52
		exponent--
	}
	s.term.SetUint64(mantissa)
	s.term.Lsh(&s.term, uint(exponent))
	if bits>>63 == 1 {
		s.term.Neg(&s.term)
	}
}

func (s *floats) Result() (schema.Value, error) {
	if s.rows == 0 {
		return schema.Null(), nil
	}
	sum := s.rounded()
	finite := s.nans == 0 && s.high == 0 && s.low == 0
	if finite && math.IsInf(sum, 0) {
		return schema.Null(), fault.New("22003", "value out of range: overflow")
	}
	if s.mean {
		return schema.Float(sum / float64(s.rows)), nil
	}
	return schema.Float(sum), nil
}

// rounded is the sum as the nearest float, halves to even. Only a sum of nothing
// but negative zeros is one; a mean begins at zero.
func (s *floats) rounded() float64 {
	switch {
	case s.nans > 0 || s.high > 0 && s.low > 0:
		return math.NaN()
	case s.high > 0:
		return math.Inf(1)
	case s.low > 0:
		return math.Inf(-1)
	case s.sum.Sign() == 0:
		if s.negativeZeros == s.rows && !s.mean {
			return math.Copysign(0, -1)
		}
		return 0
	}
	exact := new(big.Float).SetInt(&s.sum)
	exact.SetMantExp(exact, -unitBits)
	if s.single {
		f, _ := exact.Float32()
		return float64(f)
	}
	f, _ := exact.Float64()
	return f
}

func (s *floats) Append(dst []byte) []byte {
	for _, n := range [...]int64{s.rows, s.nans, s.high, s.low, s.negativeZeros} {
		dst = appendCount(dst, n)
	}
	return appendNumber(dst, &s.sum)
}

func (s *floats) Read(state []byte) error {
	d := decoder{rest: state}
	s.rows, s.nans, s.high, s.low, s.negativeZeros = d.count(), d.count(), d.count(), d.count(), d.count()
	d.number(&s.sum)
	return d.end()
}
