package query

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/schema"
)

// A View is what reading needs of a view that is maintained. Its methods may be
// called from any goroutine.
type View interface {
	// Snapshot pins the newest completed epoch. It is nil while there is none
	// that may be read: the view fills for the first time, or is no more.
	Snapshot() (Snapshot, error)
	// State says how it is with the view now.
	State() State
	// Moved is closed as soon as State or the newest epoch are others than when
	// it was called.
	Moved() <-chan struct{}
	// Feed is where the changes of its epochs come by.
	Feed() *Feed
	// Hasten says that somebody waits until the newest epoch is covered, until leave
	// is called: covers says whether a vector has all that he waits for.
	Hasten(covers func(at Vector) bool) (leave func())
}

// A Rememberer is a View that knows what changed before its Feed was made.
type Rememberer interface {
	// Since calls fn with the key of every row that changed behind an epoch, and
	// perhaps of others. It is false if that is not known any more.
	Since(ctx context.Context, epoch uint64, fn func(key schema.Row) error) (bool, error)
}

// A Snapshot is a view as of one epoch. One goroutine uses it at a time.
type Snapshot interface {
	// Shape is that of the rows.
	Shape() *Shape
	// Epoch is the one that it shows.
	Epoch() Epoch
	// Get gives the value of key; it is valid until the next call.
	Get(key []byte) (value []byte, ok bool, err error)
	// Scan goes over the keys from low, inclusive, to high, exclusive, in byte
	// order or backward.
	Scan(low, high []byte, backward bool) (dataflow.Cursor, error)
	// Close frees it; it may be called again.
	Close() error
}

// An Epoch is a completed step of a view.
type Epoch struct {
	Version uint64 // of the view's rows: numbers of different versions cannot be compared
	Number  uint64 // grows
	At      Vector
	Time    time.Time // the sources' clock, of the oldest; zero if unknown
	Old     bool      // of an earlier definition, while the present one is built
}

// A Vector is a place in each source that a view reads: the native position.
type Vector map[string]string

// A State says how a view is.
type State struct {
	Phase Phase
	// Why is what keeps a frozen or stopped view from going on, or a filling one
	// from being read; it may be nil.
	Why *pipeline.Refusal
	// Of a view that fills: rows read and expected, and the time left; 0 if not
	// known.
	Rows, Of int64
	Left     time.Duration
}

// A Phase is what a view does.
type Phase uint8

// A view fills for the first time; follows its sources; waits for a table that
// is copied or stopped, with its last cut; or has stopped by itself.
const (
	Filling Phase = iota + 1
	Live
	Frozen
	Stopped
)

// String gives the phase's name.
func (p Phase) String() string {
	if p < Filling || p > Stopped {
		return "unknown"
	}
	return [...]string{"hydrating", "live", "frozen", "stopped"}[p-1]
}

// String writes a vector in its canonical form, see the package.
func (v Vector) String() string {
	var b strings.Builder
	for i, source := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			b.WriteByte('~')
		}
		b.WriteString(source + ":" + escapeNative(v[source]))
	}
	return b.String()
}

// escapeNative writes what is not plain as % and two hex digits, so that a
// position can stand in a header.
func escapeNative(native string) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(native))
	for _, c := range []byte(native) {
		if c <= ' ' || c >= 0x7f || c == '%' || c == '~' {
			out = append(out, '%', digits[c>>4], digits[c&15])
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// ParseVector reads what String writes. Of a source that is named twice, both
// places count: they are given in the order of the text.
func ParseVector(text string) ([]Place, error) {
	var places []Place
	for part := range strings.SplitSeq(text, "~") {
		source, native, ok := strings.Cut(part, ":")
		if !ok || source == "" || native == "" {
			return nil, badRequest("wait_for is not a position", "write wait_for=<source>:<position>, or send back the `position` of an answer")
		}
		plain, err := url.PathUnescape(native)
		if err != nil {
			return nil, badRequest("wait_for has a % that is not followed by two hex digits", "send back the `position` of an answer as it is")
		}
		places = append(places, Place{source, plain})
	}
	return places, nil
}

// A Place is a native position in one source.
type Place struct{ Source, Native string }
