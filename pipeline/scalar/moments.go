package scalar

import (
	"github.com/evertdb/evert/pipeline/scalar/fault"
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

// momentOverloads are the operators of dates, times, timestamps and intervals.
func momentOverloads() []overload {
	list := []overload{
		binary("+", Date, Int4, Date, func(d, n schema.Value) (schema.Value, error) { return dateOrError(temporal.AddDays(d.Int(), n.Int())) }),
		binary("+", Int4, Date, Date, func(n, d schema.Value) (schema.Value, error) { return dateOrError(temporal.AddDays(d.Int(), n.Int())) }),
		binary("-", Date, Int4, Date, func(d, n schema.Value) (schema.Value, error) { return dateOrError(temporal.AddDays(d.Int(), -n.Int())) }),
		binary("-", Date, Date, Int4, func(a, b schema.Value) (schema.Value, error) {
			n, err := temporal.DateDiff(a.Int(), b.Int())
			if err != nil {
				return schema.Null(), err
			}
			return narrowInt(Int4, n, true)
		}),
		binary("+", Date, Time, Timestamp, dateTime),
		binary("+", Time, Date, Timestamp, func(t, d schema.Value) (schema.Value, error) { return dateTime(d, t) }),
		binary("-", Time, Time, Interval, func(a, b schema.Value) (schema.Value, error) { return schema.Interval(0, 0, a.Int()-b.Int()), nil }),
		binary("-", Time, Interval, Time, func(t, i schema.Value) (schema.Value, error) {
			return schema.Time(temporal.AddClock(t.Int(), -(temporal.Of(i).Micros % schema.MicrosPerDay))), nil
		}),
	}
	list = append(list, plus(Time, Time, func(t, i schema.Value) (schema.Value, error) {
		return schema.Time(temporal.AddClock(t.Int(), temporal.Of(i).Micros)), nil
	})...)
	for _, id := range [...]ID{Timestamp, Timestamptz} {
		list = append(list, plus(id, id, addInterval)...)
		list = append(list,
			binary("-", id, Interval, id, subInterval),
			binary("-", id, id, Interval, func(a, b schema.Value) (schema.Value, error) { return intervalOrError(temporal.Diff(a.Int(), b.Int())) }))
	}
	list = append(list, plus(Date, Timestamp, onDate(addInterval))...)
	list = append(list, binary("-", Date, Interval, Timestamp, onDate(subInterval)))
	return append(list, intervalOperators()...)
}

// plus gives an operator both ways round.
func plus(a, r ID, f func(a, i schema.Value) (schema.Value, error)) []overload {
	return []overload{
		binary("+", a, Interval, r, f),
		binary("+", Interval, a, r, func(i, x schema.Value) (schema.Value, error) { return f(x, i) }),
	}
}

func addInterval(t, i schema.Value) (schema.Value, error) {
	return stampOrError(temporal.AddInterval(t.Int(), temporal.Of(i)))
}

func subInterval(t, i schema.Value) (schema.Value, error) {
	return stampOrError(temporal.SubInterval(t.Int(), temporal.Of(i)))
}

func onDate(f func(t, i schema.Value) (schema.Value, error)) func(d, i schema.Value) (schema.Value, error) {
	return func(d, i schema.Value) (schema.Value, error) {
		t, err := temporal.Midnight(d.Int())
		if err != nil {
			return schema.Null(), err
		}
		return f(schema.Timestamp(t), i)
	}
}

func dateTime(d, t schema.Value) (schema.Value, error) {
	micros, err := temporal.Midnight(d.Int())
	if err != nil {
		return schema.Null(), err
	}
	return stampOrError(temporal.Add(micros, t.Int()))
}

func dateOrError(days int32, err error) (schema.Value, error) { return orNull(schema.Date(days), err) }

func intervalOrError(i temporal.Interval, err error) (schema.Value, error) {
	if err != nil {
		return schema.Null(), err
	}
	return i.Value(), nil
}

func intervalOperators() []overload {
	one := func(name string, f func(temporal.Interval) (temporal.Interval, error)) overload {
		return unary(name, Interval, Interval, func(v schema.Value) (schema.Value, error) { return intervalOrError(f(temporal.Of(v))) })
	}
	return []overload{
		binary("+", Interval, Interval, Interval, func(a, b schema.Value) (schema.Value, error) {
			return intervalOrError(temporal.Of(a).Add(temporal.Of(b)))
		}),
		binary("-", Interval, Interval, Interval, func(a, b schema.Value) (schema.Value, error) {
			return intervalOrError(temporal.Of(a).Sub(temporal.Of(b)))
		}),
		binary("*", Interval, Float8, Interval, func(i, f schema.Value) (schema.Value, error) { return intervalOrError(temporal.Of(i).Mul(f.Float())) }),
		binary("*", Float8, Interval, Interval, func(f, i schema.Value) (schema.Value, error) { return intervalOrError(temporal.Of(i).Mul(f.Float())) }),
		binary("/", Interval, Float8, Interval, func(i, f schema.Value) (schema.Value, error) { return intervalOrError(temporal.Of(i).Div(f.Float())) }),
		one("-", temporal.Interval.Neg),
		one("justify_hours", temporal.Interval.JustifyHours),
		one("justify_days", temporal.Interval.JustifyDays),
		one("justify_interval", temporal.Interval.Justify),
	}
}

// calendarOverloads are the functions that know the calendar.
func calendarOverloads() []overload {
	var list []overload
	for _, id := range [...]ID{Timestamp, Timestamptz} {
		list = append(list,
			binary("age", id, id, Interval, func(a, b schema.Value) (schema.Value, error) { return intervalOrError(temporal.Age(a.Int(), b.Int())) }),
			binary("date_trunc", Text, id, id, func(f, t schema.Value) (schema.Value, error) {
				return stampOrError(temporal.Trunc(string(f.Ref()), t.Int()))
			}),
			many("date_bin", []ID{Interval, id, id}, id, func(v []schema.Value) (schema.Value, error) {
				return stampOrError(temporal.Bin(temporal.Of(v[0]), v[1].Int(), v[2].Int()))
			}),
			overload{name: "to_char", args: []ID{id, Text}, result: Text, make: toChar},
			unary("isfinite", id, Bool, func(v schema.Value) (schema.Value, error) { return truth(!temporal.IsInfinite(v.Int())) }))
	}
	list = append(list,
		many("date_trunc", []ID{Text, Timestamptz, Text}, Timestamptz, func(v []schema.Value) (schema.Value, error) {
			if offset, err := temporal.Zone(string(v[2].Ref())); err != nil || offset != 0 {
				return schema.Null(), fault.Unsupported("date_trunc knows the zone UTC only")
			}
			return stampOrError(temporal.Trunc(string(v[0].Ref()), v[1].Int()))
		}),
		binary("date_trunc", Text, Interval, Interval, func(f, i schema.Value) (schema.Value, error) {
			return intervalOrError(temporal.Of(i).Trunc(string(f.Ref())))
		}),
		unary("isfinite", Date, Bool, func(v schema.Value) (schema.Value, error) { return truth(!temporal.IsInfiniteDate(v.Int())) }),
		unary("isfinite", Interval, Bool, func(schema.Value) (schema.Value, error) { return truth(true) }),
		unary("to_timestamp", Float8, Timestamptz, func(v schema.Value) (schema.Value, error) { return stampOrError(temporal.FromEpoch(v.Float())) }))
	return append(append(list, fieldOverloads()...), append(append(makeOverloads(), makeIntervals()...), zoneOverloads()...)...)
}

// toChar writes a timestamp by a template; NULL for an infinity.
func toChar([]schema.Type, *schema.Type) (evalFunc, error) {
	compile := remembered(temporal.CompileFormat)
	return func(v []schema.Value) (schema.Value, error) {
		if temporal.IsInfinite(v[0].Int()) || len(v[1].Ref()) == 0 {
			return schema.Null(), nil
		}
		f, err := compile(v[1].Ref())
		if err != nil {
			return schema.Null(), err
		}
		return text(f.Append(nil, v[0].Int())), nil
	}, nil
}

// fieldOverloads are EXTRACT, whose result is exact, and date_part, whose is a
// double.
func fieldOverloads() []overload {
	var list []overload
	for _, id := range [...]ID{Date, Time, Timestamp, Timestamptz, Interval} {
		list = append(list,
			binary("extract", Text, id, Numeric, func(f, v schema.Value) (schema.Value, error) {
				n, ok, err := temporal.Extract(string(f.Ref()), sourceOf(id, v))
				if err != nil || !ok {
					return schema.Null(), err
				}
				return numeric(n), nil
			}),
			binary("date_part", Text, id, Float8, func(f, v schema.Value) (schema.Value, error) {
				s := sourceOf(id, v)
				if id == Date {
					micros, err := temporal.Midnight(v.Int())
					if err != nil {
						return schema.Null(), err
					}
					s = temporal.Source{Kind: schema.KindTimestamp, Number: micros}
				}
				n, ok, err := temporal.Part(string(f.Ref()), s)
				if err != nil || !ok {
					return schema.Null(), err
				}
				return schema.Float(n), nil
			}))
	}
	return list
}

func sourceOf(id ID, v schema.Value) temporal.Source {
	s := temporal.Source{Kind: v.Kind(), Zoned: id == Timestamptz}
	if id == Interval {
		s.Interval = temporal.Of(v)
	} else {
		s.Number = v.Int()
	}
	return s
}

// makeOverloads put dates and times together.
func makeOverloads() []overload {
	return []overload{
		many("make_date", []ID{Int4, Int4, Int4}, Date, func(v []schema.Value) (schema.Value, error) {
			return dateOrError(temporal.MakeDate(v[0].Int(), v[1].Int(), v[2].Int()))
		}),
		many("make_time", []ID{Int4, Int4, Float8}, Time, func(v []schema.Value) (schema.Value, error) {
			t, err := temporal.MakeTime(v[0].Int(), v[1].Int(), v[2].Float())
			return orNull(schema.Time(t), err)
		}),
		many("make_timestamp", []ID{Int4, Int4, Int4, Int4, Int4, Float8}, Timestamp, makeStamp),
		many("make_timestamptz", []ID{Int4, Int4, Int4, Int4, Int4, Float8}, Timestamptz, makeStamp),
	}
}

// makeIntervals take years, months, weeks, days, hours, minutes and seconds, as
// many of them as are written.
func makeIntervals() []overload {
	all := []ID{Int4, Int4, Int4, Int4, Int4, Int4, Float8}
	var list []overload
	for n := range len(all) + 1 {
		list = append(list, many("make_interval", all[:n], Interval, func(v []schema.Value) (schema.Value, error) {
			var p [7]schema.Value
			for i := range p {
				p[i] = schema.Int(0)
			}
			copy(p[:], v)
			return intervalOrError(temporal.MakeInterval(p[0].Int(), p[1].Int(), p[2].Int(), p[3].Int(), p[4].Int(), p[5].Int(), p[6].Float()))
		}))
	}
	return list
}

func makeStamp(v []schema.Value) (schema.Value, error) {
	return stampOrError(temporal.MakeTimestamp([5]int64{v[0].Int(), v[1].Int(), v[2].Int(), v[3].Int(), v[4].Int()}, v[5].Float()))
}

// zoneOverloads are AT TIME ZONE with UTC and fixed offsets.
func zoneOverloads() []overload {
	shift := func(t schema.Value, offset int64) (schema.Value, error) {
		return stampOrError(temporal.Add(t.Int(), offset))
	}
	byName := func(sign int64) func(z, t schema.Value) (schema.Value, error) {
		return func(z, t schema.Value) (schema.Value, error) {
			offset, err := temporal.Zone(string(z.Ref()))
			if err != nil {
				return schema.Null(), err
			}
			return shift(t, sign*offset)
		}
	}
	byInterval := func(sign int64) func(z, t schema.Value) (schema.Value, error) {
		return func(z, t schema.Value) (schema.Value, error) {
			i := temporal.Of(z)
			if temporal.IsInfinite(t.Int()) {
				return t, nil
			}
			if i.Months != 0 || i.Days != 0 {
				return schema.Null(), fault.Parameter("interval time zone must not include months or days")
			}
			return shift(t, sign*(i.Micros/1_000_000*1_000_000))
		}
	}
	return []overload{
		binary("timezone", Text, Timestamptz, Timestamp, byName(1)), binary("timezone", Text, Timestamp, Timestamptz, byName(-1)),
		binary("timezone", Interval, Timestamptz, Timestamp, byInterval(1)), binary("timezone", Interval, Timestamp, Timestamptz, byInterval(-1)),
	}
}
