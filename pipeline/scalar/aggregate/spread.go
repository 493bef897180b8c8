package aggregate

import (
	"math/big"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// A spread is one of the variances.
type spread struct {
	sample bool // divide by one less than the number of rows
	root   bool // the standard deviation
}

func spreads() map[string]spread {
	return map[string]spread{
		"variance": {sample: true}, "var_samp": {sample: true}, "var_pop": {},
		"stddev": {sample: true, root: true}, "stddev_samp": {sample: true, root: true}, "stddev_pop": {root: true},
	}
}

func spreadOf(name string, id scalar.ID, arg schema.Type, s spread) (Aggregate, error) {
	switch id {
	case scalar.Int2, scalar.Int4, scalar.Int8, scalar.Numeric:
		return Aggregate{Name: name, Arg: scalar.Numeric.Type(), Result: scalar.Numeric.Type(), New: func() State { return &squares{spread: s} }}, nil
	case scalar.Float4, scalar.Float8:
		return Aggregate{}, &scalar.Refused{Name: name, Why: "over floats its answer depends on the order of the rows", Mend: "cast the argument to numeric"}
	}
	return Aggregate{}, fault.New("42883", "function %s(%s) does not exist", name, arg.Name)
}

// squares keeps the sum and the sum of squares, the latter at twice the scale.
type squares struct {
	spread
	tally
	sum, square big.Int
	term        big.Int // scratch
}

func (s *squares) Add(v schema.Value, weight int64) error {
	d, ok, err := s.number(v, weight)
	if !ok {
		return err
	}
	before := s.scale()
	wide := max(before, d.Scale())
	rescale(&s.sum, before, wide)
	rescale(&s.square, 2*before, 2*wide)
	coefficient(&s.term, d)
	rescale(&s.term, d.Scale(), wide)
	accumulate(&s.square, new(big.Int).Mul(&s.term, &s.term), weight)
	accumulate(&s.sum, &s.term, weight)
	_, after := s.count(d.Scale(), weight)
	rescale(&s.sum, wide, after)
	rescale(&s.square, 2*wide, 2*after)
	return nil
}

func (s *squares) Result() (schema.Value, error) {
	rows := s.rows()
	if rows == 0 || s.sample && rows <= 1 {
		return schema.Null(), nil
	}
	if s.nans > 0 || s.high > 0 || s.low > 0 {
		return schema.Decimal([]byte("NaN")), nil
	}
	n := big.NewInt(rows)
	numerator := new(big.Int).Mul(n, &s.square)
	numerator.Sub(numerator, new(big.Int).Mul(&s.sum, &s.sum))
	if numerator.Sign() <= 0 {
		return schema.Decimal([]byte("0")), nil
	}
	divisor := new(big.Int).Mul(n, n)
	if s.sample {
		divisor.Sub(divisor, n)
	}
	d, err := decimal.NewBig(numerator, 2*s.scale()).Div(decimal.NewBig(divisor, 0))
	if err == nil && s.root {
		d = d.SqrtAt(d.Scale())
	}
	if err != nil {
		return schema.Null(), err
	}
	return schema.Decimal(d.Append(nil)), nil
}

func (s *squares) Append(dst []byte) []byte {
	return appendNumber(appendNumber(s.append(dst), &s.sum), &s.square)
}

func (s *squares) Read(state []byte) error {
	d := decoder{rest: state}
	s.read(&d)
	d.number(&s.sum)
	d.number(&s.square)
	return d.end()
}
