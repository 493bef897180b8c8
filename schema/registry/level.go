package registry

import (
	"fmt"
	"strings"

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
	return "", refuse(CodeInvalidLevel, "Invalid compatibility level %.40q: it is one of NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE, FULL_TRANSITIVE", s)
}

func (l Level) transitive() bool { return strings.HasSuffix(string(l), "_TRANSITIVE") }

func (l Level) backward() bool { return strings.HasPrefix(string(l), "BACKWARD") || l.full() }

func (l Level) forward() bool { return strings.HasPrefix(string(l), "FORWARD") || l.full() }

func (l Level) full() bool { return strings.HasPrefix(string(l), "FULL") }

// An earlier is a version that a new schema is compared with.
type earlier struct {
	number int
	text   string
	parsed *avro.Definition
}

// check compares a new schema with earlier ones, oldest first, beginning with
// the newest. It gives what is wrong with the first that does not agree, each a
// line for a person; nothing if all agree.
func (l Level) check(schema *avro.Definition, versions []earlier) (messages []string) {
	if !l.transitive() && len(versions) > 1 {
		versions = versions[len(versions)-1:]
	}
	for i := len(versions) - 1; i >= 0 && messages == nil; i-- {
		messages = l.compare(schema, versions[i])
	}
	return messages
}

func (l Level) compare(schema *avro.Definition, old earlier) (messages []string) {
	if l.backward() {
		for _, d := range schema.Reads(old.parsed) {
			messages = append(messages, describe(d, "new", "old"))
		}
	}
	if l.forward() {
		for _, d := range old.parsed.Reads(schema) {
			messages = append(messages, describe(d, "old", "new"))
		}
	}
	if messages == nil {
		return nil
	}
	return append(messages, fmt.Sprintf("{oldSchemaVersion: %d}", old.number), fmt.Sprintf("{oldSchema: '%s'}", old.text),
		fmt.Sprintf("{compatibility: '%s'}", l))
}

// describe writes a difference in the form in which clients of Confluent's
// registry know it.
func describe(d avro.Difference, reader, writer string) string {
	var text string
	switch d.Kind {
	case avro.NameMismatch:
		text = fmt.Sprintf("The name of the type at path '%s' of the %s schema is not that of the %s schema", d.Path, reader, writer)
	case avro.FixedSizeMismatch:
		text = fmt.Sprintf("The size of the fixed type at path '%s' of the %s schema is not that of the %s schema", d.Path, reader, writer)
	case avro.MissingEnumSymbols:
		text = fmt.Sprintf("The enum at path '%s' of the %s schema lacks symbols %s of the %s schema", d.Path, reader, d.Detail, writer)
	case avro.MissingDefault:
		text = fmt.Sprintf("The field '%s' at path '%s' of the %s schema has no default value and is missing in the %s schema", d.Detail, d.Path, reader, writer)
	case avro.MissingUnionBranch:
		text = fmt.Sprintf("The union at path '%s' of the %s schema lacks a type of the %s schema", d.Path, reader, writer)
	case avro.TypeMismatch:
		text = fmt.Sprintf("The type at path '%s' of the %s schema does not take that of the %s schema", d.Path, reader, writer)
	default:
		text = fmt.Sprintf("The %s schema does not take the %s schema at path '%s'", reader, writer, d.Path)
	}
	return fmt.Sprintf("{errorType:'%s', description:'%s', additionalInfo:'%s'}", d.Kind, text, d.Detail)
}
