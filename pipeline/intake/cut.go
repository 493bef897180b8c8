package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// IsVoid reports whether rows of a table that were read became void: it was
// truncated, or made anew. Those of a table that was copied again are not: each of
// their keys has a newer record between the cuts.
func IsVoid(had, has log.TableState) bool { return had.Generation != has.Generation }

// Counts gives from which offsets the rows of a table count for a reader that goes from
// one cut to another; had is the zero state for one that has read nothing. Who goes on
// reads what a copy superseded too: the tombstone of a row that it has may lie there,
// and is not written again.
func Counts(had, has log.TableState) []int64 {
	if len(had.From) == len(has.From) && !IsVoid(had, has) {
		return had.From
	}
	return has.From
}

// Succeeds checks that cut may follow one that was read, of what people call of
// (source shop): another incarnation or
// topic is an Anew, and nothing goes back (R05). Rows that became void are the
// caller's to see.
func Succeeds(of string, cut, had *log.Frontier) error {
	if had.Incarnation != cut.Incarnation {
		return &Anew{of + " began anew", true}
	}
	for topic, state := range had.Tables {
		if now := cut.Tables[topic]; now.ID != state.ID && now.ID != "" && state.ID != "" {
			return &Anew{"topic " + topic + " was made anew", true}
		}
	}
	return Reaches(of, cut, had, "was read")
}

// Reaches refuses a cut below another one; was says who read that, as in "the
// view has read".
func Reaches(of string, cut, floor *log.Frontier, was string) error {
	if cut.Number < floor.Number {
		return &Back{of, fmt.Sprintf("its frontier is at number %d, and %s up to %d: committed records of the log are gone", cut.Number, was, floor.Number)}
	}
	for tp, at := range floor.Offsets {
		if now, ok := cut.Offsets[tp]; ok && now < at {
			return &Back{of, fmt.Sprintf("%s is cut at %d, and %s up to %d", tp, now, was, at)}
		}
	}
	return nil
}

// Spreads refuses a topic with partitions that its source's frontier does not
// speak of (R12). A source that runs finds that out by itself, and holds its
// readers.
func Spreads(ctx context.Context, l log.Log, topic string, cut *log.Frontier) error {
	infos, err := l.Admin().Topics(ctx, topic)
	if err != nil {
		return err
	}
	if known := len(cut.Tables[topic].From); len(infos) == 1 && len(infos[0].Ends) != known {
		return &Spread{topic, len(infos[0].Ends), known}
	}
	return nil
}

// Forgets reports whether tombstones behind a cut may be gone from a topic whose
// log does not tell (K17).
func Forgets(ctx context.Context, l log.Log, topic string, cut *log.Frontier, now time.Time) bool {
	infos, err := l.Admin().Topics(ctx, topic)
	if err != nil || len(infos) == 0 || !infos[0].Compact || infos[0].Retention <= 0 || cut.Time.IsZero() {
		return false // the reader says what is wrong
	}
	for p, ends := range infos[0].Ends {
		next := cut.Offsets[log.TopicPartition{Topic: topic, Partition: int32(p)}]
		if next < ends.Stable && now.Sub(cut.Time) > infos[0].Retention*8/10 {
			return true
		}
	}
	return false
}

// Aged reports whether records of an append-only topic behind those that were read went
// by age. between says that the next ones were those of a new transaction: what
// ends the one before may be gone, and is no record. A partition of which nothing was
// read has lost nothing.
func Aged(ctx context.Context, l log.Log, topic string, next map[int32]int64, between bool) bool {
	infos, err := l.Admin().Topics(ctx, topic)
	if err != nil || len(infos) == 0 || infos[0].Compact {
		return false // the reader says what is wrong
	}
	marker := int64(0)
	if between && infos[0].Markers {
		marker = 1
	}
	for p, ends := range infos[0].Ends {
		if at, known := next[int32(p)]; known && at+marker < ends.Start {
			return true
		}
	}
	return false
}
