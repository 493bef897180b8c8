package binlogvalue

import (
	"encoding/binary"
	"errors"

	"github.com/evertdb/evert/schema"
)

const microsPerSecond = 1_000_000

var errTime = errors.New("a time that the type cannot hold")

// when reads dates and times.
func (c *Codec) when(x *cell, b []byte) (schema.Value, error) {
	switch x.Type {
	case Date:
		n := int(little(b))
		return c.date(x, n>>9, n>>5&15, n&31)
	case Time:
		return oldTime(int64(little(b)<<40) >> 40)
	case Time2:
		return time2(b)
	case Datetime:
		n := binary.LittleEndian.Uint64(b)
		day, clock := n/1_000_000, n%1_000_000
		return c.datetime(x, civil{int(day / 10_000), int(day / 100 % 100), int(day % 100), int(clock / 10_000), int(clock / 100 % 100), int(clock % 100), 0})
	case Datetime2:
		return c.datetime(x, unpackDatetime(b))
	case Timestamp:
		return c.instant(x, int64(binary.LittleEndian.Uint32(b)), 0)
	case Timestamp2:
		return c.instant(x, int64(binary.BigEndian.Uint32(b)), fraction(b[4:]))
	}
	return schema.Value{}, errors.New("a type of no known length")
}

// fraction reads the microseconds behind a time: two digits to the byte, the last
// byte full even where the precision is odd.
func fraction(b []byte) int64 {
	n := int64(big(b))
	switch len(b) {
	case 1:
		return n * 10_000
	case 2:
		return n * 100
	}
	return n
}

type civil struct{ year, month, day, hour, minute, second, micros int }

// unpackDatetime reads the 40 bits 1 yyyyyyyymmmmmmmmm ddddd hhhhh mmmmmm ssssss,
// whose year and month are one number, year × 13 + month.
func unpackDatetime(b []byte) civil {
	n := big(b[:5]) - 1<<39
	ym := int(n >> 22 & (1<<17 - 1))
	return civil{ym / 13, ym % 13, int(n >> 17 & 31), int(n >> 12 & 31), int(n >> 6 & 63), int(n & 63), int(fraction(b[5:]))}
}

// isDay reports whether the calendar has a day.
func isDay(year, month, day int) bool {
	if year < 0 || month < 1 || month > 12 || day < 1 || day > 31 {
		return false
	}
	y, m, d := schema.Civil(schema.Days(int64(year), month, day))
	return y == int64(year) && m == month && d == day
}

func (c *Codec) date(x *cell, year, month, day int) (schema.Value, error) {
	if !isDay(year, month, day) {
		return c.noDay(x, schema.Date(0))
	}
	return schema.Date(int32(schema.Days(int64(year), month, day))), nil
}

func (c *Codec) datetime(x *cell, t civil) (schema.Value, error) {
	if !isDay(t.year, t.month, t.day) {
		return c.noDay(x, schema.Timestamp(-schema.UnixEpoch2000))
	}
	if t.hour > 23 || t.minute > 59 || t.second > 59 || t.micros >= microsPerSecond {
		return schema.Value{}, errTime
	}
	seconds := schema.Days(int64(t.year), t.month, t.day)*86_400 + int64(t.hour*3600+t.minute*60+t.second)
	return schema.Timestamp(seconds*microsPerSecond + int64(t.micros) - schema.UnixEpoch2000), nil
}

// instant gives a TIMESTAMP. Its zero stands for 0000-00-00.
func (c *Codec) instant(x *cell, seconds, micros int64) (schema.Value, error) {
	if seconds == 0 && micros == 0 {
		return c.noDay(x, schema.Timestamp(-schema.UnixEpoch2000))
	}
	if micros >= microsPerSecond {
		return schema.Value{}, errTime
	}
	return schema.Timestamp(seconds*microsPerSecond + micros - schema.UnixEpoch2000), nil
}

// noDay applies the policy to a date that the calendar does not have.
func (c *Codec) noDay(x *cell, epoch schema.Value) (schema.Value, error) {
	switch {
	case c.zero == ZeroStop || c.zero == ZeroNull && !x.Nullable:
		return schema.Value{}, ErrZeroDate
	case x.Nullable:
		epoch = schema.Null()
	}
	c.zeros.Add(1)
	return epoch, nil
}

// oldTime reads a time of before MySQL 5.6: ±hhhmmss in decimal digits.
func oldTime(n int64) (schema.Value, error) {
	sign := int64(1)
	if n < 0 {
		sign, n = -1, -n
	}
	return duration(sign, n/10_000, n/100%100, n%100, 0)
}

// time2 reads a time as one number with its fraction below it, so that a negative
// one borrows from the seconds: bits 1 0 hhhhhhhhhh mmmmmm ssssss ffffff….
func time2(b []byte) (schema.Value, error) {
	width := 8 * len(b)
	n := int64(big(b)) - 1<<(width-1)
	sign := int64(1)
	if n < 0 {
		sign, n = -1, -n
	}
	rest := width - 24
	clock, frac := n>>rest, n&(1<<rest-1)
	micros := frac
	switch rest {
	case 8:
		micros *= 10_000
	case 16:
		micros *= 100
	}
	return duration(sign, clock>>12&1023, clock>>6&63, clock&63, micros)
}

func duration(sign, hours, minutes, seconds, micros int64) (schema.Value, error) {
	total := (hours*3600+minutes*60+seconds)*microsPerSecond + micros
	if minutes > 59 || seconds > 59 || micros >= microsPerSecond || total > schema.MaxDuration {
		return schema.Value{}, errTime
	}
	return schema.Time(sign * total), nil
}
