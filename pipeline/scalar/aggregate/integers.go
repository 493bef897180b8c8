package aggregate

import (
	"math/big"
	"strconv"

	"github.com/evertdb/evert/pipeline/scalar/decimal"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// count counts rows that are not NULL.
type count struct{ rows int64 }

func (c *count) Add(v schema.Value, weight int64) error {
	if !v.IsNull() {
		c.rows += weight
	}
	return nil
}

func (c *count) Result() (schema.Value, error) { return schema.Int(c.rows), nil }

func (c *count) Append(dst []byte) []byte { return appendCount(dst, c.rows) }

func (c *count) Read(state []byte) error {
	d := decoder{rest: state}
	c.rows = d.count()
	return d.end()
}

// votes counts rows of each truth.
type votes struct {
	all     bool // bool_and: all have to be true
	yes, no int64
}

func (b *votes) Add(v schema.Value, weight int64) error {
	switch {
	case v.IsNull():
	case v.Bool():
		b.yes += weight
	default:
		b.no += weight
	}
	return nil
}

func (b *votes) Result() (schema.Value, error) {
	switch {
	case b.yes == 0 && b.no == 0:
		return schema.Null(), nil
	case b.all:
		return schema.Bool(b.no == 0), nil
	}
	return schema.Bool(b.yes > 0), nil
}

func (b *votes) Append(dst []byte) []byte { return appendCount(appendCount(dst, b.yes), b.no) }

func (b *votes) Read(state []byte) error {
	d := decoder{rest: state}
	b.yes, b.no = d.count(), d.count()
	return d.end()
}

// integers sums integers of any width.
type integers struct {
	mean  bool
	small bool // the sum is a bigint, otherwise a numeric
	rows  int64
	sum   big.Int
	term  big.Int // scratch
}

func (s *integers) Add(v schema.Value, weight int64) error {
	if v.IsNull() {
		return nil
	}
	s.rows += weight
	accumulate(&s.sum, s.term.SetInt64(v.Int()), weight)
	return nil
}

// accumulate adds weight times term, which it may change.
func accumulate(sum, term *big.Int, weight int64) {
	switch weight {
	case 1:
		sum.Add(sum, term)
	case -1:
		sum.Sub(sum, term)
	default:
		sum.Add(sum, term.Mul(term, big.NewInt(weight)))
	}
}

func (s *integers) Result() (schema.Value, error) {
	switch {
	case s.rows == 0:
		return schema.Null(), nil
	case s.mean:
		return quotient(decimal.NewBig(new(big.Int).Set(&s.sum), 0), s.rows)
	case s.small && !s.sum.IsInt64():
		return schema.Null(), fault.OutOfRange("bigint")
	case s.small:
		return schema.Int(s.sum.Int64()), nil
	case s.sum.IsInt64():
		return schema.Decimal(strconv.AppendInt(nil, s.sum.Int64(), 10)), nil
	}
	return schema.Decimal(s.sum.Append(nil, 10)), nil
}

// quotient is a sum over a number of rows.
func quotient(sum decimal.Decimal, rows int64) (schema.Value, error) {
	q, err := sum.Div(decimal.Int(rows))
	if err != nil {
		return schema.Null(), err
	}
	return schema.Decimal(q.Append(nil)), nil
}

func (s *integers) Append(dst []byte) []byte { return appendNumber(appendCount(dst, s.rows), &s.sum) }

func (s *integers) Read(state []byte) error {
	d := decoder{rest: state}
	s.rows = d.count()
	d.number(&s.sum)
	return d.end()
}
