package temporal_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/evertdb/evert/pipeline/scalar/temporal"
	"github.com/evertdb/evert/schema"
)

// genStamp draws a timestamp between 4000 BC and the year 200,000.
func genStamp(t *rapid.T, name string) int64 {
	return rapid.Int64Range(-189_000_000_000_000_000, 6_248_000_000_000_000_000).Draw(t, name)
}

func genInterval(t *rapid.T, name string) temporal.Interval {
	return temporal.Interval{
		Months: int32(rapid.IntRange(-5000, 5000).Draw(t, name)),
		Days:   int32(rapid.IntRange(-5000, 5000).Draw(t, name)),
		Micros: rapid.Int64Range(-1e15, 1e15).Draw(t, name),
	}
}

// What is printed is read, and is the same.
func TestTextsAreReadBack(t *testing.T) {
	plain, zoned := schema.Type{}, schema.Type{Zoned: true}
	rapid.Check(t, func(t *rapid.T) {
		at := genStamp(t, "at")
		for _, typ := range []schema.Type{plain, zoned} {
			text := typ.AppendText(nil, schema.Timestamp(at))
			if back, err := temporal.ParseTimestamp(text, typ.Zoned); err != nil || back != at {
				t.Fatalf("%s is read as %d, not %d: %v", text, back, at, err)
			}
		}
		i := genInterval(t, "interval")
		text := plain.AppendText(nil, i.Value())
		if back, err := temporal.ParseInterval(text); err != nil || back != i {
			t.Fatalf("%s is read as %v, not %v: %v", text, back, i, err)
		}
		date := temporal.DateOf(at)
		text = plain.AppendText(nil, schema.Date(date))
		if back, err := temporal.ParseDate(text); err != nil || back != date {
			t.Fatalf("%s is read as %d, not %d: %v", text, back, date, err)
		}
	})
}

// A difference added again leads back; an interval without months can be taken
// away again; months keep the day of the month, or the last one.
func TestArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genStamp(t, "a"), genStamp(t, "b")
		d, err := temporal.Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if sum, err := temporal.AddInterval(b, d); err != nil || sum != a {
			t.Fatalf("%d + (%d - it) is %d, %v", b, a, sum, err)
		}
		i := genInterval(t, "interval")
		i.Months = 0
		there, err := temporal.AddInterval(a, i)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := temporal.SubInterval(there, i); err != nil || back != a {
			t.Fatalf("%d + %v - it is %d, %v", a, i, back, err)
		}
		age, err := temporal.Age(max(a, b), min(a, b))
		if err != nil || age.Months < 0 || age.Days < 0 || age.Days > 30 || age.Micros < 0 || age.Micros >= schema.MicrosPerDay {
			t.Fatalf("the age of %d at %d is %v, %v", b, a, age, err)
		}
	})
}

// A timestamp cut to a unit is no later, is its own cut, and lies in the same
// unit.
func TestTrunc(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := genStamp(t, "at")
		last := at
		for _, unit := range []string{"microseconds", "millisecond", "second", "minute", "hour", "day", "month", "quarter", "year", "decade"} {
			cut, err := temporal.Trunc(unit, at)
			if err != nil || cut > last {
				t.Fatalf("%d cut to the %s is %d, %v", at, unit, cut, err)
			}
			if again, err := temporal.Trunc(unit, cut); err != nil || again != cut {
				t.Fatalf("%d cut to the %s is %d", cut, unit, again)
			}
			last = cut
		}
		stride := temporal.Interval{Micros: rapid.Int64Range(1, 1e15).Draw(t, "stride")}
		bin, err := temporal.Bin(stride, at, 0)
		if err == nil && (bin > at || at-bin >= stride.Micros || bin%stride.Micros != 0) {
			t.Fatalf("the bin of %d in steps of %d is %d", at, stride.Micros, bin)
		}
	})
}

// A month is 30 days, and a day 24 hours, to intervals that are compared.
func TestEqualIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := genInterval(t, "i")
		j := temporal.Interval{Months: i.Months - 1, Days: i.Days + 29, Micros: i.Micros + schema.MicrosPerDay}
		if i.Compare(j) != 0 || j.Compare(i) != 0 {
			t.Fatalf("%v and %v: %d", i, j, i.Compare(j))
		}
	})
}
