package sql

import (
	"regexp"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/schema"
)

// What follows refuses every place where Postgres would use the session's time
// zone without being told.

const (
	bySession = "depends on the time zone of the session"
	atUTC     = "write x AT TIME ZONE 'UTC', or the zone that is meant"
)

// refuseZone refuses casts between instants and wall-clock times.
func (b *binder) refuseZone(t *term, to schema.Type) {
	from, goal := scalar.Identify(&t.typ).Elem(), scalar.Identify(&to).Elem()
	if from == goal || from != scalar.Timestamptz && goal != scalar.Timestamptz {
		return
	}
	if from == scalar.Unknown {
		b.zonedLiteral(t, &to)
		return
	}
	b.fail(t.at, codeInexact, "a cast from "+t.typ.Name+" to "+to.Name+" "+bySession, atUTC)
}

// A text that names its zone, or is the same in all.
var (
	zoneInText = regexp.MustCompile(`(?i)([+-]\d{1,2}(:?\d{2}(:?\d{2})?)?|z|utc|gmt)(\s+bc)?\s*$`)
	timeInText = regexp.MustCompile(`\d:\d`)
)

func (b *binder) zonedLiteral(t *term, to *schema.Type) {
	if scalar.Identify(to) != scalar.Timestamptz || t.val.IsNull() {
		return
	}
	text := strings.TrimSpace(string(t.val.Ref()))
	switch strings.ToLower(text) {
	case "infinity", "-infinity", "epoch":
		return
	}
	if !zoneInText.MatchString(text) || !timeInText.MatchString(text) {
		b.fail(t.at, codeInexact, "this instant "+bySession, "write time and zone into the text: '"+strings.TrimSpace(strings.SplitN(text, " ", 2)[0])+" 00:00:00+00'")
	}
}

// sameInAllZones are functions and operators on instants that do not look at a
// calendar.
var sameInAllZones = strings.Fields(`= <> < <= > >= timezone coalesce nullif greatest least array [] is_null date_bin
	array_length cardinality array_append array_prepend array_cat array_position array_remove array_replace @> <@ &&`)

// refuseZoned refuses functions of instants that look at a calendar.
func (b *binder) refuseZoned(at int, name string, args []*term) {
	if !slices.ContainsFunc(args, instant) || strings.HasPrefix(name, "is ") {
		return
	}
	base, _, _ := strings.Cut(name, " ")
	switch {
	case slices.Contains(sameInAllZones, base):
		if mixed(args) {
			b.fail(at, codeInexact, "comparing timestamps with and without time zone "+bySession, atUTC)
		}
		return
	case (name == "+" || name == "-") && steady(args):
		return
	case (name == "extract" || name == "date_part") && isConst(args[0], "epoch"):
		return
	case name == "date_trunc" && len(args) == 3:
		return
	}
	b.fail(at, codeInexact, describe(name)+" of a timestamp with time zone "+bySession, zonedMend(name))
}

func zonedMend(name string) string {
	if name == "+" || name == "-" {
		return "write (x AT TIME ZONE 'UTC' + interval '…') AT TIME ZONE 'UTC', or an interval of hours, minutes and seconds"
	}
	return atUTC
}

func instant(t *term) bool { return scalar.Identify(&t.typ).Elem() == scalar.Timestamptz }

// mixed reports whether wall-clock times stand beside instants.
func mixed(args []*term) bool {
	return slices.ContainsFunc(args, func(t *term) bool {
		id := scalar.Identify(&t.typ).Elem()
		return id == scalar.Timestamp || id == scalar.Date
	})
}

// steady reports whether an instant is moved by an interval that is as long in
// every zone, or two instants are subtracted.
func steady(args []*term) bool {
	for _, t := range args {
		if instant(t) {
			continue
		}
		if t.op != opConst || scalar.Identify(&t.typ) != scalar.Interval || t.val.IsNull() {
			return false
		}
		if months, days, _ := t.val.Interval(); months != 0 || days != 0 {
			return false
		}
	}
	return true
}

func isConst(t *term, text string) bool {
	return t.op == opConst && strings.EqualFold(string(t.val.Ref()), text)
}
