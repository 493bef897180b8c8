package schema

import (
	"encoding/binary"
	"math"
	"strconv"
)

// An interval is three numbers that do not convert into each other without a
// calendar, packed into 16 bytes, little-endian:
//
//	interval = months:int32 days:int32 micros:int64

// IntervalBytes is the length of a packed interval.
const IntervalBytes = 16

// AppendInterval packs an interval behind dst and returns the longer slice.
func AppendInterval(dst []byte, months, days int32, micros int64) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(months))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(days))
	return binary.LittleEndian.AppendUint64(dst, uint64(micros))
}

// PackedInterval is an interval packed by AppendInterval; the bytes are not
// copied.
func PackedInterval(packed []byte) Value { return refer(KindInterval, packed) }

// Interval is an interval with bytes of its own.
func Interval(months, days int32, micros int64) Value {
	return PackedInterval(AppendInterval(make([]byte, 0, IntervalBytes), months, days, micros))
}

// Interval gives the parts of a KindInterval; zeros for bytes that
// AppendInterval did not write.
func (v Value) Interval() (months, days int32, micros int64) {
	b := v.Ref()
	if len(b) != IntervalBytes {
		return 0, 0, 0
	}
	return int32(binary.LittleEndian.Uint32(b)), int32(binary.LittleEndian.Uint32(b[4:])), int64(binary.LittleEndian.Uint64(b[8:]))
}

// InfiniteInterval gives 1 for the interval infinity, -1 for -infinity, which
// Postgres has from version 17 on, and 0 for all others. As there, all three parts
// are at the same end of their range.
func InfiniteInterval(v Value) int {
	switch months, days, micros := v.Interval(); {
	case months == math.MaxInt32 && days == math.MaxInt32 && micros == math.MaxInt64:
		return 1
	case months == math.MinInt32 && days == math.MinInt32 && micros == math.MinInt64:
		return -1
	}
	return 0
}

// appendInterval writes an interval in IntervalStyle postgres: parts that are
// not zero, the time of day as a clock, and a plus sign where a positive part
// follows a negative one.
func appendInterval(dst []byte, v Value) []byte {
	switch InfiniteInterval(v) {
	case 1:
		return append(dst, "infinity"...)
	case -1:
		return append(dst, "-infinity"...)
	}
	months, days, micros := v.Interval()
	w := intervalWriter{dst: dst, first: true}
	w.part(int64(months/12), "year")
	w.part(int64(months%12), "mon")
	w.part(int64(days), "day")
	if w.first || micros != 0 {
		w.clock(micros)
	}
	return w.dst
}

// An intervalWriter remembers whether the part before was negative.
type intervalWriter struct {
	dst      []byte
	first    bool
	negative bool
}

func (w *intervalWriter) part(n int64, unit string) {
	if n == 0 {
		return
	}
	w.space()
	if w.negative && n > 0 {
		w.dst = append(w.dst, '+')
	}
	w.dst = append(strconv.AppendInt(w.dst, n, 10), ' ')
	w.dst = append(w.dst, unit...)
	if n != 1 {
		w.dst = append(w.dst, 's')
	}
	w.negative = n < 0
}

func (w *intervalWriter) clock(micros int64) {
	w.space()
	size := uint64(micros)
	switch {
	case micros < 0:
		size = -size
		w.dst = append(w.dst, '-')
	case w.negative:
		w.dst = append(w.dst, '+')
	}
	secs, frac := size/1_000_000, size%1_000_000
	w.dst = append(AppendPadded(w.dst, int64(secs/3600), 2), ':')
	w.dst = append(AppendPadded(w.dst, int64(secs/60%60), 2), ':')
	w.dst = AppendPadded(w.dst, int64(secs%60), 2)
	if frac == 0 {
		return
	}
	w.dst = AppendPadded(append(w.dst, '.'), int64(frac), 6)
	for w.dst[len(w.dst)-1] == '0' {
		w.dst = w.dst[:len(w.dst)-1]
	}
}

func (w *intervalWriter) space() {
	if !w.first {
		w.dst = append(w.dst, ' ')
	}
	w.first = false
}
