package deliver

import (
	"errors"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/schema"
)

// The refusals of a sink. Each stops that sink alone.
const (
	// CodePoison: a record of the topic cannot be read (R09).
	CodePoison pipeline.Code = "SINK_POISON"
	// CodeColumn: a record has not what the newest shape of its table needs.
	CodeColumn pipeline.Code = "SINK_COLUMN"
	// CodeInputGone: the topic, or the frontier that it goes by, is gone (R23).
	CodeInputGone pipeline.Code = "SINK_INPUT_GONE"
	// CodePartitions: the topic has more or fewer partitions than its source
	// writes (R12).
	CodePartitions pipeline.Code = "SINK_INPUT_PARTITIONS"
	// CodeInputBack: the frontier went back (R05).
	CodeInputBack pipeline.Code = "SINK_INPUT_BACK"
	// CodeHeld: the table is being copied or has stopped; it passes.
	CodeHeld pipeline.Code = "SINK_HELD"
	// CodeMissing: values in side topics are replaced faster than they are read; it
	// passes.
	CodeMissing pipeline.Code = "SINK_REPLACED_VALUES"
	// CodeRenewals: the target has to be filled anew, again, before it was filled.
	CodeRenewals pipeline.Code = "SINK_RENEWALS"
)

// stopped says what an error of reading means for the sink, with words and a mend
// for people.
func (c *Config) stopped(err error) error {
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
			What: "the record cannot be read, and without it sink " + c.Name + " would be wrong", Err: poison.Err,
			Mend: "evert skip " + c.Name + "   # goes on without it, and keeps it in the dead letters"}
	case errors.As(err, &gone):
		return &pipeline.Refusal{Code: CodeInputGone, Where: "sink " + c.Name + ", topic " + gone.Topic, What: gone.What,
			Mend: "evert status   # whether its source still writes it; what has a new name needs it in sinks." + c.Name + ".from"}
	case errors.As(err, &anew):
		return &Renewal{Why: anew.Why, moved: anew.World}
	case errors.As(err, &back):
		return &pipeline.Refusal{Code: CodeInputBack, Where: "sink " + c.Name, What: back.What,
			Mend: c.again() + "   # its tables are copied again, and the sink is filled anew"}
	case errors.As(err, &spread):
		return &pipeline.Refusal{Code: CodePartitions, Where: "topic " + spread.Topic,
			What: fmt.Sprintf("it has %d partitions, and %s writes %d: somebody changed their number", spread.Has, c.Of, spread.Known),
			Mend: fmt.Sprintf("delete the topic, or set the number of its partitions to %d in the file; then copy the tables again: %s", spread.Has, c.again())}
	}
	return err
}

func (c *Config) columnChanged(topic, column, what string) error {
	return &pipeline.Refusal{Code: CodeColumn, Where: fmt.Sprintf("sink %s, topic %s, column %s", c.Name, topic, schema.QuotePart(column)), What: what,
		Mend: c.again() + "   # its tables are copied again, in their present shape"}
}

// again is the command that copies the tables again. A view has several sources.
func (c *Config) again() string {
	source := "SOURCE"
	if c.Positions == nil {
		source = c.Owner
	}
	return "evert reset " + source + " --resnapshot --yes"
}

// held says why the sink is held.
func (c *Config) held(h *intake.Hold) *pipeline.Refusal {
	mend := h.Mend
	if mend == "" {
		mend = "evert status   # how far " + c.Of + " is"
	}
	return &pipeline.Refusal{Code: CodeHeld, Where: "sink " + c.Name + ", " + c.Of, What: h.What + "; the sink stays where it is", Mend: mend}
}

func (c *Config) tooManyMissing(topic string) error {
	return &pipeline.Refusal{Code: CodeMissing, Where: "sink " + c.Name + ", topic " + topic,
		What: fmt.Sprintf("more than %d rows have large values that newer records replaced before they were read", c.Limits.Missing),
		Mend: "evert status   # it is read once more by itself, when the newer records are there"}
}

func (c *Config) tooManyRenewals(why string) error {
	return &pipeline.Refusal{Code: CodeRenewals, Where: "sink " + c.Name, What: "it has to be filled anew a second time, and was never whole between: " + why,
		Mend: "evert check --connect   # what its system says; it is filled once more after retry_max, or at once by a restart"}
}
