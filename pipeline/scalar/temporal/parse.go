package temporal

import (
	"math"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar/fault"
	"github.com/evertdb/evert/schema"
)

// A moment is what a literal says.
type moment struct {
	special string // infinity, -infinity, epoch
	hasDate bool
	hasTime bool
	civil
	offset  int64 // microseconds east of UTC
	hasZone bool
}

// ParseDate reads a date; a time behind it is checked and left out.
func ParseDate(text []byte) (int32, error) {
	m, err := parseMoment(text, "date")
	if err != nil {
		return 0, err
	}
	switch m.special {
	case "infinity":
		return schema.DateInfinity, nil
	case "-infinity":
		return schema.DateMinusInfinity, nil
	case "epoch":
		return 0, nil
	}
	if !m.hasDate {
		return 0, fault.BadDatetime("date")
	}
	days := schema.Days(m.year, m.month, m.day)
	if !validDate(days) {
		return 0, fault.DatetimeRange("date")
	}
	return int32(days), nil
}

// ParseTimestamp reads a timestamp. One with a zone is turned into UTC; in one
// without, a zone does not count.
func ParseTimestamp(text []byte, zoned bool) (int64, error) {
	name := "timestamp"
	if zoned {
		name = "timestamp with time zone"
	}
	m, err := parseMoment(text, name)
	if err != nil {
		return 0, err
	}
	switch m.special {
	case "infinity":
		return schema.TimestampInfinity, nil
	case "-infinity":
		return schema.TimestampMinusInfinity, nil
	case "epoch":
		return -schema.UnixEpoch2000, nil
	}
	if !m.hasDate {
		return 0, fault.BadDatetime(name)
	}
	if zoned {
		m.micros -= m.offset
	}
	micros, ok := m.stamp()
	if !ok {
		return 0, fault.DatetimeRange("timestamp")
	}
	return micros, nil
}

// ParseTime reads a time of day.
func ParseTime(text []byte) (int64, error) {
	m, err := parseMoment(text, "time")
	if err != nil {
		return 0, err
	}
	if !m.hasTime || m.special != "" || m.hasZone && !m.hasDate && false {
		return 0, fault.BadDatetime("time")
	}
	return m.micros, nil
}

// parseMoment reads
//
//	[year-month-day] [(space|T) hour:minute[:second[.fraction]]] [zone] [BC|AD]
func parseMoment(text []byte, typ string) (moment, error) {
	s := strings.ToLower(strings.Trim(string(text), " \t\n\v\f\r"))
	switch s {
	case "infinity", "+infinity":
		return moment{special: "infinity"}, nil
	case "-infinity", "epoch":
		return moment{special: s}, nil
	case "now", "today", "tomorrow", "yesterday", "allballs":
		return moment{}, fault.Unsupported("the word stands for the time of the query, which a view does not have; write a constant")
	}
	p := reader{rest: s}
	m := p.moment()
	switch {
	case p.overflow:
		return m, fault.FieldOverflow()
	case p.bad && looksLikeTime(s):
		return m, fault.Unsupported("only ISO 8601 is read as %s; other forms depend on settings", typ)
	case p.bad:
		return m, fault.BadDatetime(typ)
	}
	return m, nil
}

// looksLikeTime reports whether a text may be a date to Postgres, which takes
// many.
func looksLikeTime(s string) bool { return strings.ContainsAny(s, "0123456789") }

// A reader takes a literal apart from the front.
type reader struct {
	rest          string
	bad, overflow bool
}

func (p *reader) moment() (m moment) {
	if p.dateAhead() {
		m.hasDate = true
		m.civil = p.date()
		if p.accept('t') || p.spaces() {
			p.spaces()
		}
	}
	if !m.hasDate {
		m.month, m.day = 1, 1
	}
	if p.digitAhead() {
		m.hasTime = true
		m.micros = p.clock()
	}
	p.spaces()
	m.offset, m.hasZone = p.zone()
	p.spaces()
	era, _ := p.era()
	p.bad = p.bad || p.rest != "" || !m.hasDate && !m.hasTime
	if m.hasDate && !p.bad {
		m.civil = p.check(m.civil, era)
	}
	return m
}

// dateAhead looks for digits and a hyphen, which no time of day has.
func (p *reader) dateAhead() bool {
	i := 0
	for i < len(p.rest) && isDigit(p.rest[i]) {
		i++
	}
	return i >= 3 && i < len(p.rest) && p.rest[i] == '-'
}

func (p *reader) digitAhead() bool { return p.rest != "" && isDigit(p.rest[0]) }

func (p *reader) date() (c civil) {
	year := p.number(3, 7)
	p.expect('-')
	month := p.number(1, 2)
	p.expect('-')
	day := p.number(1, 2)
	return civil{year: year, month: int(month), day: int(day)}
}

// check gives c with its astronomical year; there is no year 0 before that.
func (p *reader) check(c civil, era string) civil {
	none := c.year == 0
	if era == "bc" {
		c.year = 1 - c.year
	}
	if none || c.month < 1 || c.month > 12 || c.day < 1 || c.day > monthDays(c.year, c.month) {
		p.overflow = true
	}
	return c
}

func (p *reader) era() (string, bool) {
	for _, word := range [...]string{"bc", "ad"} {
		if p.rest == word {
			p.rest = ""
			return word, true
		}
	}
	return "", false
}

func (p *reader) clock() int64 {
	hour := p.number(1, 2)
	p.expect(':')
	minute := p.number(1, 2)
	second, fraction := int64(0), int64(0)
	if p.accept(':') {
		second = p.number(1, 2)
		fraction = p.fraction()
	}
	switch {
	case p.bad:
	case hour > 24 || minute > 59 || second > 60 || hour == 24 && (minute > 0 || second > 0 || fraction > 0):
		p.overflow = true
	case hour == 23 && minute == 59 && second == 60 && fraction > 0:
		p.overflow = true
	}
	return hour*perHour + minute*perMinute + second*perSecond + fraction
}

// fraction reads a point and digits as microseconds, rounded as a double is.
func (p *reader) fraction() int64 {
	if !p.accept('.') {
		return 0
	}
	digits := p.digits()
	if digits == "" {
		return 0
	}
	f, err := strconv.ParseFloat("0."+digits, 64)
	if err != nil {
		p.bad = true
	}
	return int64(math.RoundToEven(f * perSecond))
}

// zone reads Z, UTC or an offset.
func (p *reader) zone() (micros int64, ok bool) {
	for _, word := range [...]string{"z", "utc", "gmt"} {
		if rest, found := strings.CutPrefix(p.rest, word); found {
			p.rest = rest
			return 0, true
		}
	}
	if p.rest == "" || p.rest[0] != '+' && p.rest[0] != '-' {
		return 0, false
	}
	neg := p.rest[0] == '-'
	p.rest = p.rest[1:]
	micros = p.offset()
	if micros > 15*perHour+59*perMinute+59*perSecond {
		p.overflow = true
	}
	if neg {
		micros = -micros
	}
	return micros, true
}

// offset reads hh, hhmm, hh:mm or hh:mm:ss.
func (p *reader) offset() int64 {
	digits := p.digits()
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		p.bad = true
		return 0
	}
	if len(digits) > 2 {
		if len(digits) != 4 && len(digits) != 3 {
			p.bad = true
		}
		return n/100*perHour + n%100*perMinute
	}
	micros := n * perHour
	for unit := int64(perMinute); unit >= perSecond && p.accept(':'); unit /= 60 {
		part := p.number(2, 2)
		p.overflow = p.overflow || part > 59
		micros += part * unit
	}
	return micros
}

func (p *reader) digits() string {
	i := 0
	for i < len(p.rest) && isDigit(p.rest[i]) {
		i++
	}
	d := p.rest[:i]
	p.rest = p.rest[i:]
	return d
}

func (p *reader) number(low, high int) int64 {
	d := p.digits()
	if len(d) < low || len(d) > high {
		p.bad = true
		return 0
	}
	n, err := strconv.ParseInt(d, 10, 64)
	p.bad = p.bad || err != nil
	return n
}

func (p *reader) accept(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *reader) expect(c byte) { p.bad = !p.accept(c) || p.bad }

func (p *reader) spaces() bool {
	rest := strings.TrimLeft(p.rest, " \t\n\v\f\r")
	found := len(rest) < len(p.rest)
	p.rest = rest
	return found
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
