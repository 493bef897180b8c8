package configs

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// A Size is a number of bytes, written as a whole number and a unit: 64MiB.
type Size int64

// A Rate is a number of bytes per second, written 50MiB/s; 0 is unlimited.
type Rate int64

// unit is a unit of sizes and its bytes.
type unit struct {
	name  string
	bytes int64
}

// units are in falling order; every size prints in the largest that divides it.
func units() []unit {
	return []unit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
}

// ParseSize reads a size. The error says what is wrong without the text itself.
func ParseSize(text string) (Size, error) {
	digits := strings.TrimRight(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	name := text[len(digits):]
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, errors.New("it is not a whole number followed by a unit")
	}
	if name == "" {
		return 0, errors.New("it has no unit")
	}
	for _, u := range units() {
		if u.name == name {
			return scale(digits, u.bytes)
		}
	}
	return 0, errors.New("its unit is not one of B, KiB, MiB, GiB, TiB")
}

func scale(digits string, bytes int64) (Size, error) {
	n, ok := new(big.Int).SetString(digits[:min(len(digits), 40)], 10)
	if !ok || len(digits) > 40 {
		return 0, errors.New("it is too large")
	}
	if n.Mul(n, big.NewInt(bytes)); !n.IsInt64() {
		return 0, errors.New("it is too large")
	}
	return Size(n.Int64()), nil
}

// String prints the size as it is written in the file.
func (s Size) String() string {
	if s == 0 {
		return "0B"
	}
	for _, u := range units() {
		if int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return "" // unreachable: every size is a multiple of one byte
}

// ParseRate reads a rate. The error says what is wrong without the text itself.
func ParseRate(text string) (Rate, error) {
	size, ok := strings.CutSuffix(text, "/s")
	if !ok {
		return 0, errors.New("it does not end in /s")
	}
	s, err := ParseSize(size)
	return Rate(s), err
}

// String prints the rate as it is written in the file.
func (r Rate) String() string { return Size(r).String() + "/s" }

// parseDuration reads a duration of one or more numbers with units, such as 1m30s.
func parseDuration(text string) (time.Duration, error) {
	if text != "" && strings.Trim(text, "0123456789") == "" {
		return 0, errors.New("it has no unit")
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New("it is not a number followed by one of ns, us, ms, s, m, h")
	}
	if d < 0 {
		return 0, errors.New("it is negative")
	}
	return d, nil
}

// formatDuration prints a duration without zero parts: 1m, not 1m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
