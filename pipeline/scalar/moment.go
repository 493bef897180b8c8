package scalar

import (
	"github.com/evertdb/evert/pipeline/scalar/temporal"
	"github.com/evertdb/evert/schema"
)

// compareIntervals orders intervals.
func compareIntervals(a, b schema.Value) int { return temporal.Of(a).Compare(temporal.Of(b)) }

// compareMoments orders a date and a timestamp, either way round.
func compareMoments(a ID, x schema.Value, b ID, y schema.Value) int {
	if a == Date {
		return temporal.CompareDate(x.Int(), y.Int())
	}
	return -temporal.CompareDate(y.Int(), x.Int())
}
