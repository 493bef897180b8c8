package view

import (
	"errors"
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
)

// The refusals of a view. Each stops that view alone.
const (
	// CodePoison: a record of an input cannot be read (R09).
	CodePoison pipeline.Code = "VIEW_POISON"
	// CodeColumn: a column that the query needs is gone, or has another type.
	CodeColumn pipeline.Code = "VIEW_COLUMN"
	// CodeInputGone: a topic that the view reads does not exist any more (R23).
	CodeInputGone pipeline.Code = "VIEW_INPUT_GONE"
	// CodePartitions: the topic of a table has more or fewer partitions than its
	// source writes (R12).
	CodePartitions pipeline.Code = "VIEW_INPUT_PARTITIONS"
	// CodeInputBack: a source's frontier went back (R05).
	CodeInputBack pipeline.Code = "VIEW_INPUT_BACK"
	// CodeTopic: the view's topic is not the one its frontier speaks of.
	CodeTopic pipeline.Code = "VIEW_TOPIC_REPLACED"
	// CodeHeld: a table of the view is being copied or has stopped; it passes.
	CodeHeld pipeline.Code = "VIEW_HELD"
	// CodeKey: the key of the view's topic has other columns or types.
	CodeKey pipeline.Code = "VIEW_KEY_CHANGED"
	// CodeTooLarge: a row of the view is larger than its topic takes.
	CodeTooLarge pipeline.Code = "VIEW_ROW_TOO_LARGE"
	// CodeState: the state occupies more than it may (R17).
	CodeState pipeline.Code = "VIEW_STATE_LIMIT"
	// CodeSchema: the registry does not take the view's schema.
	CodeSchema pipeline.Code = "VIEW_SCHEMA_REFUSED"
)

// ErrDamaged says that a state cannot be trusted: a checksum, a file that is
// missing, a code that is not one.
var ErrDamaged = errors.New("the state is damaged")

// ErrDead says that a state cannot go on, as after a write that failed in the midst. It
// is sound, and is opened again.
var ErrDead = errors.New("the state cannot go on")

// stopped says what an error of reading means for the view, with words and a mend
// for people.
func (t *Task) stopped(err error) error {
	var (
		poison *intake.Poison
		gone   *intake.Gone
		anew   *intake.Anew
		back   *intake.Back
		spread *intake.Spread
	)
	switch {
	case errors.As(err, &poison):
		return &pipeline.Refusal{Code: CodePoison, Where: fmt.Sprintf("%s offset %d", poison.TopicPartition, poison.Offset),
			What: "the record cannot be read, and without it the view would be wrong", Err: poison.Err,
			Mend: "evert tail " + poison.Topic + "   # shows what is there; then copy the table again: evert reset SOURCE --resnapshot --yes"}
	case errors.As(err, &gone):
		return t.inputGone(gone.Topic, gone.What)
	case errors.As(err, &anew):
		return t.rebuild(anew.Why)
	case errors.As(err, &back):
		return t.inputBack(strings.TrimPrefix(back.Of, "source "), back.What)
	case errors.As(err, &spread):
		return t.partitioned(spread)
	}
	return err
}

func (t *Task) inputGone(topic, what string) error {
	return &pipeline.Refusal{Code: CodeInputGone, Where: "topic " + topic, What: what,
		Mend: "evert status   # whether the source still captures the table; a table that was renamed needs its new name in views." + t.Name + ".sql"}
}

func (t *Task) partitioned(s *intake.Spread) error {
	source := t.byTopic[s.Topic].Source
	return &pipeline.Refusal{Code: CodePartitions, Where: "topic " + s.Topic,
		What: fmt.Sprintf("it has %d partitions, and source %s writes %d: somebody changed their number", s.Has, source, s.Known),
		Mend: fmt.Sprintf("delete the topic, or set topic.partitions of the table to %d in the file; then copy the tables again: evert reset %s --resnapshot --yes", s.Has, source)}
}

func (t *Task) inputBack(source, what string) error {
	return &pipeline.Refusal{Code: CodeInputBack, Where: "source " + source, What: what,
		Mend: "evert reset " + source + " --resnapshot --yes   # its tables are copied again, and the view is built anew"}
}

func (t *Task) tooLarge(n int) error {
	return &pipeline.Refusal{Code: CodeTooLarge, Where: "topic " + t.output.topic,
		What: fmt.Sprintf("a row of the view takes %d bytes, and the topic at most %d", n, t.output.maxBytes),
		Mend: "change views." + t.Name + ".sql so that its rows are smaller; or raise max.message.bytes of the topic"}
}

func (t *Task) stateTooLarge(n int64) error {
	return &pipeline.Refusal{Code: CodeState, Where: "view " + t.Name, What: fmt.Sprintf("its state occupies %d bytes, and limits.view_state_bytes is %d", n, t.Limits.State),
		Mend: "raise limits.view_state_bytes, if the disk has the room, and restart; or change views." + t.Name + ".sql so that it keeps less: fewer rows and columns, aggregates instead of rows"}
}

func (t *Task) topicReplaced(what string) error {
	return &pipeline.Refusal{Code: CodeTopic, Where: "topic " + t.output.topic, What: what,
		Mend: "give the view another name in the file; or, where nobody reads the old topic, delete the topics " + t.output.topic + " and " + t.frontierTopic() + ": the view is written anew"}
}
