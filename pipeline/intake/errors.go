package intake

import (
	"errors"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

// A Gone says that a topic that is read does not exist any more (R23).
type Gone struct {
	Topic string
	What  string // a sentence without a full stop
}

func (g *Gone) Error() string { return "topic " + g.Topic + ": " + g.What }

// A Poison says that a record cannot be read (R09). It says where the record is,
// and nothing of it.
type Poison struct {
	log.TopicPartition
	Offset int64
	Err    error
}

func (p *Poison) Error() string {
	return fmt.Sprintf("%s offset %d cannot be read: %s", p.TopicPartition, p.Offset, p.Err)
}

// Unwrap gives the cause.
func (p *Poison) Unwrap() error { return p.Err }

func poison(r *log.Record, err error) *Poison { return &Poison{r.TopicPartition, r.Offset, err} }

// An Anew says that what was read belongs to an earlier history of its source, or
// that something in between is gone: whoever read it begins from the start.
type Anew struct {
	Why string // a sentence without a full stop
	// World: it is something that happened to the source or its topics, so that it
	// cannot happen again to the same history.
	World bool
}

func (a *Anew) Error() string { return a.Why }

// A Back says that a frontier lies below what was read (R05): committed records
// of the log are gone.
type Back struct {
	Of   string // whose frontier it is, for people: source shop
	What string // a sentence without a full stop
}

func (b *Back) Error() string { return b.Of + ": " + b.What }

// A Spread says that a topic has other partitions than its source writes: keys
// would have moved to where nobody reads (R12).
type Spread struct {
	Topic      string
	Has, Known int
}

func (s *Spread) Error() string {
	return fmt.Sprintf("topic %s has %d partitions, and its source writes %d", s.Topic, s.Has, s.Known)
}

// A fetching marks what may mend itself: the registry or the log did not answer.
type fetching struct{ error }

func (e fetching) Unwrap() error { return e.error }

// errNotKnown says that a column that is wanted has no value in a record.
var errNotKnown = errors.New("a value that is needed is not in it")

// errUnreadable says that a schema is none that is read.
var errUnreadable = errors.New("not a schema that is read")

func fetched(err error) error {
	var r *pipeline.Refusal
	if err == nil || errors.Is(err, registry.ErrNotFound) || errors.Is(err, errUnreadable) || errors.As(err, &r) {
		return err
	}
	return fetching{err}
}

// refuse tells a record that cannot be read from a server that does not answer.
func refuse(r *log.Record, err error) error {
	var passing fetching
	if errors.As(err, &passing) || pipeline.CodeOf(err) != "" {
		return fmt.Errorf("%s offset %d: %w", r.TopicPartition, r.Offset, err)
	}
	return poison(r, err)
}

// Unreadable marks an error of a schema that is none of a table.
func Unreadable(err error) error { return fmt.Errorf("%w: %w", errUnreadable, err) }
