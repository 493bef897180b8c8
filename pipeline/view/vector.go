package view

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// A Vector says how far a view has read: for each of its sources a cut, which
// is what the source's frontier said there, of the view's tables alone.
type Vector map[string]log.Frontier

// Offsets are those of all tables of v.
func (v Vector) Offsets() log.Offsets {
	all := log.Offsets{}
	for _, f := range v {
		maps.Copy(all, f.Offsets)
	}
	return all
}

// Time is the earliest of the sources' clocks: a view is no staler than that. It
// is zero if none is known.
func (v Vector) Time() (at time.Time) {
	for _, cut := range v {
		if !cut.Time.IsZero() && (at.IsZero() || cut.Time.Before(at)) {
			at = cut.Time
		}
	}
	return at
}

// String names the positions, by source.
func (v Vector) String() string {
	parts := make([]string, 0, len(v))
	for _, source := range v.Sources() {
		parts = append(parts, source+":"+v[source].Resume.At.Native)
	}
	return strings.Join(parts, " ")
}

// Natives reads what String writes, which is the native position of a view's
// frontier: the native position by source. isSource tells names of sources, by
// which positions that hold spaces stay whole.
func Natives(text string, isSource func(name string) bool) map[string]string {
	at, last := map[string]string{}, ""
	for part := range strings.SplitSeq(text, " ") {
		switch source, native, ok := strings.Cut(part, ":"); {
		case ok && isSource(source):
			at[source], last = native, source
		case last != "":
			at[last] += " " + part
		}
	}
	return at
}

// Sources are the names of v's, sorted.
func (v Vector) Sources() []string { return slices.Sorted(maps.Keys(v)) }

// Positions gives the position of each source at a frontier record of a view.
func Positions(f *log.Frontier) (map[string]pipeline.Position, error) {
	v, err := parseVector(f.Resume.State)
	if err != nil {
		return nil, err
	}
	at := make(map[string]pipeline.Position, len(v))
	for source, cut := range v {
		at[source] = cut.Resume.At
	}
	return at, nil
}

// The versions of the code of a vector: alone, and with terms.
const (
	aloneVersion = 1
	termsVersion = 2
)

// The code of a vector:
//
//	version:byte(1, 2) count:uvarint { name record }    strings with their length before them
//
// where record is the frontier record of the cut, in full. In version 2 the terms of the
// view's own record follow.
func (v Vector) append(dst []byte, terms []term) []byte {
	dst = binary.AppendUvarint(append(dst, termsVersion), uint64(len(v)))
	for _, source := range v.Sources() {
		f := v[source]
		dst = appendString(dst, source)
		dst = appendString(dst, string(f.AppendRecord(nil, nil)))
	}
	return appendTerms(dst, terms)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var errVector = errors.New("malformed vector of cuts")

func parseVector(b []byte) (Vector, error) {
	v, _, err := parseState(b)
	return v, err
}

// parseState reads a vector with the terms behind it; there are none in version 1.
func parseState(b []byte) (v Vector, terms []term, err error) {
	if len(b) == 0 || b[0] < aloneVersion || b[0] > termsVersion {
		return nil, nil, errVector
	}
	v, rest, err := cutVector(b[1:])
	switch {
	case err != nil:
		return nil, nil, err
	case b[0] == termsVersion:
		terms, err = parseTerms(rest)
	case len(rest) != 0:
		err = errVector
	}
	return v, terms, err
}

// cutVector reads a vector without its version, and gives what is behind it.
func cutVector(b []byte) (v Vector, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return nil, nil, errVector
	}
	b, v = b[size:], Vector{}
	for ; n > 0; n-- {
		var source, record string
		var ok bool
		if source, b, ok = cutString(b); !ok {
			return nil, nil, errVector
		}
		if record, b, ok = cutString(b); !ok {
			return nil, nil, errVector
		}
		f, err := log.ParseFrontier([]byte(record))
		if err != nil {
			return nil, nil, fmt.Errorf("source %s: %w", source, err)
		}
		v[source] = f
	}
	return v, b, nil
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, false
	}
	b = b[size:]
	return string(b[:n]), b[n:], true
}
