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

// The code of a vector:
//
//	version:byte(1) count:uvarint { name record }    strings with their length before them
//
// where record is the frontier record of the cut, in full.
func (v Vector) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, 1), uint64(len(v)))
	for _, source := range v.Sources() {
		f := v[source]
		dst = appendString(dst, source)
		dst = appendString(dst, string(f.AppendRecord(nil, nil)))
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var errVector = errors.New("malformed vector of cuts")

func parseVector(b []byte) (Vector, error) {
	if len(b) == 0 || b[0] != 1 {
		return nil, errVector
	}
	n, size := binary.Uvarint(b[1:])
	if size <= 0 {
		return nil, errVector
	}
	b = b[1+size:]
	v := Vector{}
	for ; n > 0; n-- {
		var source, record string
		var ok bool
		if source, b, ok = cutString(b); !ok {
			return nil, errVector
		}
		if record, b, ok = cutString(b); !ok {
			return nil, errVector
		}
		f, err := log.ParseFrontier([]byte(record))
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", source, err)
		}
		v[source] = f
	}
	if len(b) != 0 {
		return nil, errVector
	}
	return v, nil
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, false
	}
	b = b[size:]
	return string(b[:n]), b[n:], true
}
