package aggregate

import (
	"math/big"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/pipeline/scalar/temporal"
	"github.com/evertdb/evert/schema"
)

// intervals sums the three parts of intervals.
type intervals struct {
	mean         bool
	rows         int64
	months, days big.Int
	micros       big.Int
	term         big.Int // scratch
}

func (s *intervals) Add(v schema.Value, weight int64) error {
	if v.IsNull() {
		return nil
	}
	s.rows += weight
	i := temporal.Of(v)
	accumulate(&s.months, s.term.SetInt64(int64(i.Months)), weight)
	accumulate(&s.days, s.term.SetInt64(int64(i.Days)), weight)
	accumulate(&s.micros, s.term.SetInt64(i.Micros), weight)
	return nil
}

func (s *intervals) Result() (schema.Value, error) {
	if s.rows == 0 {
		return schema.Null(), nil
	}
	months, days := s.months.Int64(), s.days.Int64()
	if !s.months.IsInt64() || !s.days.IsInt64() || !s.micros.IsInt64() || months != int64(int32(months)) || days != int64(int32(days)) {
		return schema.Null(), fault.DatetimeRange("interval")
	}
	i := temporal.Interval{Months: int32(months), Days: int32(days), Micros: s.micros.Int64()}
	if !s.mean {
		return i.Value(), nil
	}
	i, err := i.Div(float64(s.rows))
	if err != nil {
		return schema.Null(), err
	}
	return i.Value(), nil
}

func (s *intervals) Append(dst []byte) []byte {
	dst = appendNumber(appendCount(dst, s.rows), &s.months)
	return appendNumber(appendNumber(dst, &s.days), &s.micros)
}

func (s *intervals) Read(state []byte) error {
	d := decoder{rest: state}
	s.rows = d.count()
	d.number(&s.months)
	d.number(&s.days)
	d.number(&s.micros)
	return d.end()
}
