// Package aggregate sums values that come and go.
//
// A State holds what one group's aggregate needs, and takes a row away as exactly
// as it put it in: after any adds and retractions it gives what Postgres would
// over the rows that are left, in a state of bounded size that does not depend on
// their order.
//
//	sum, avg of integers     an integer of any length
//	sum, avg of numeric      the same at the largest scale seen, the number of rows of each scale (the result
//	                         shows the largest one present), of NaN and of the infinities
//	sum, avg of floats       the exact sum, as an integer of 2^-1074 (at most 2,100 bits and a carry), rounded
//	                         once to the nearest. Postgres adds in the order of the rows and rounds each time,
//	                         so its last digits change with the order; ours are what it would be with none
//	sum, avg of intervals    the three parts
//	var_*, stddev_*          of integers and numeric: the sum and the sum of squares
//	count, bool_and, bool_or numbers of rows
//
// min, max and what keeps the rows themselves are the business of the caller.
package aggregate

import (
	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// A State is the aggregate of one group. It belongs to one goroutine.
type State interface {
	// Add puts v in weight times, or takes it out if weight is negative. NULLs
	// are left out. It keeps no bytes of v.
	Add(v schema.Value, weight int64) error

	// Result is the aggregate of what is in, NULL over no rows (count: 0). An
	// error is that of Postgres, of a sum that does not fit. The value has bytes
	// of its own.
	Result() (schema.Value, error)

	// Append writes the state behind dst. States that hold the same rows write
	// the same bytes.
	Append(dst []byte) []byte

	// Read replaces the state by what Append wrote.
	Read(state []byte) error
}

// An Aggregate is an aggregate function whose types are settled.
type Aggregate struct {
	Name   string
	Arg    schema.Type // what the argument has to be cast to
	Result schema.Type
	New    func() State // the state of no rows
}

// Lookup finds an aggregate of one argument. An *scalar.Error of state 42883 says
// that there is none, a *scalar.Refused that Postgres has one whose answer depends
// on the order of the rows.
func Lookup(name string, arg schema.Type) (Aggregate, error) {
	id := scalar.Identify(&arg)
	if id == scalar.Unknown {
		id, arg = scalar.Float8, scalar.Float8.Type()
	}
	var a Aggregate
	switch name {
	case "count":
		a = Aggregate{Result: scalar.Int8.Type(), New: func() State { return &count{} }}
	case "sum", "avg":
		a = total(id, name == "avg")
	case "bool_and", "every", "bool_or":
		if id == scalar.Bool {
			a = Aggregate{Result: scalar.Bool.Type(), New: func() State { return &votes{all: name != "bool_or"} }}
		}
	default:
		if s, ok := spreads()[name]; ok {
			return spreadOf(name, id, arg, s)
		}
	}
	if a.New == nil {
		return a, fault.New("42883", "function %s(%s) does not exist", name, arg.Name)
	}
	a.Name, a.Arg = name, arg
	return a, nil
}

// total gives sum or avg of a type.
func total(id scalar.ID, mean bool) Aggregate {
	switch id {
	case scalar.Int2, scalar.Int4:
		result := scalar.Int8
		if mean {
			result = scalar.Numeric
		}
		return Aggregate{Result: result.Type(), New: func() State { return &integers{mean: mean, small: !mean} }}
	case scalar.Int8:
		return Aggregate{Result: scalar.Numeric.Type(), New: func() State { return &integers{mean: mean} }}
	case scalar.Numeric:
		return Aggregate{Result: scalar.Numeric.Type(), New: func() State { return &numerics{mean: mean} }}
	case scalar.Float4, scalar.Float8:
		result := id
		if mean {
			result = scalar.Float8
		}
		return Aggregate{Result: result.Type(), New: func() State { return &floats{mean: mean, single: result == scalar.Float4} }}
	case scalar.Interval:
		return Aggregate{Result: scalar.Interval.Type(), New: func() State { return &intervals{mean: mean} }}
	}
	return Aggregate{}
}
