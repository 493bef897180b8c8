package registry

import (
	"fmt"

	"github.com/evertdb/evert/schema/avro"
)

// A Level says what a subject's new schema owes to its earlier ones.
type Level string

// The levels, as Confluent's registry names them.
const (
	None               Level = "NONE"
	Backward           Level = "BACKWARD" // the new one reads what the latest wrote; the default
	BackwardTransitive Level = "BACKWARD_TRANSITIVE"
	Forward            Level = "FORWARD" // the latest reads what the new one writes
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"
	Full               Level = "FULL" // both
	FullTransitive     Level = "FULL_TRANSITIVE"
)

// ParseLevel checks a level's name.
func ParseLevel(s string) (Level, error) {
	switch l := Level(s); l {
	case None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive:
		return l, nil
	}
	return "", fmt.Errorf("compatibility level %q is none of NONE, BACKWARD, FORWARD, FULL and their _TRANSITIVE forms", s)
}

func (l Level) transitive() bool {
	return l == BackwardTransitive || l == ForwardTransitive || l == FullTransitive
}

func (l Level) backward() bool {
	return l == Backward || l == BackwardTransitive || l == Full || l == FullTransitive
}

func (l Level) forward() bool {
	return l == Forward || l == ForwardTransitive || l == Full || l == FullTransitive
}

// check compares a new schema with the earlier ones, oldest first.
func (l Level) check(schema string, earlier []string) error {
	if !l.transitive() && len(earlier) > 1 {
		earlier = earlier[len(earlier)-1:]
	}
	for _, old := range earlier {
		if l.backward() {
			if err := avro.Compatible(schema, old); err != nil {
				return fmt.Errorf("%w (%s): the new one cannot read the old: %w", ErrIncompatible, l, err)
			}
		}
		if l.forward() {
			if err := avro.Compatible(old, schema); err != nil {
				return fmt.Errorf("%w (%s): the old one cannot read the new: %w", ErrIncompatible, l, err)
			}
		}
	}
	return nil
}
