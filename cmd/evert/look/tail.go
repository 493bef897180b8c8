package look

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/records"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

func (a verbs) tailVerb() *cobra.Command {
	untilEnd := false
	c := &cobra.Command{
		Use:   "tail TOPIC|TABLE|VIEW",
		Short: "Print the records of a topic, decoded",
		Long: `Print the records of a topic, decoded, and wait for more. With -o json each is one JSON
object on a line: topic, partition, offset, key, op, before, after, position, ts.
A tombstone has op and after null. What a record lacks stands in cut, offloaded and
dead_letter; values that were offloaded are put back. A table is named as schema.table,
a view by its name.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.First(a.TopicNames),
		RunE:              func(_ *cobra.Command, args []string) error { return a.tail(args[0], untilEnd) },
	}
	c.Flags().BoolVar(&untilEnd, "until-end", false, "end with the newest record instead of waiting for more")
	a.OutputFlag(c)
	return c
}

func (a verbs) tail(name string, untilEnd bool) error {
	config, err := a.Load()
	if err != nil {
		return err
	}
	client, rest, err := a.DaemonOr(a.Ctx, config, "tail", false)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(a.Out, 64<<10)
	emit := a.emitter(out)
	if client != nil {
		err = client.Records(a.Ctx, name, untilEnd, emit)
	} else {
		defer rest.Close()
		err = records.Tail(a.Ctx, config, rest.Topics, rest.Registry, name, untilEnd || rest.Topics.Kind == "embedded", emit)
	}
	if errors.Is(err, context.Canceled) && a.Ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, out.Flush())
}

// emitter writes lines as they are or for people; nil flushes.
func (a verbs) emitter(out *bufio.Writer) func(line []byte) error {
	style := a.Style(a.Out)
	return func(line []byte) error {
		switch {
		case line == nil:
			return out.Flush()
		case a.JSON():
			_, err := out.Write(line)
			return err
		}
		return writeRecord(out, style, line)
	}
}

// shown is what people see of a record.
type shown struct {
	Offset int64           `json:"offset"`
	Key    json.RawMessage `json:"key"`
	Op     *string         `json:"op"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	TS     string          `json:"ts"`
}

func writeRecord(out *bufio.Writer, s terminal.Style, line []byte) error {
	var r shown
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	op, row := s.Dim("tombstone"), r.Key
	if r.Op != nil {
		op, row = opWord(s, *r.Op), r.After
	}
	if r.Op != nil && *r.Op == "d" {
		row = r.Key
	}
	_, err := fmt.Fprintf(out, "%s  %s  %-9s  %s\n", s.Dim(fmt.Sprintf("%8d", r.Offset)), s.Dim(fmt.Sprintf("%-27s", r.TS)), op, row)
	return err
}

func opWord(s terminal.Style, op string) string {
	switch op {
	case "c":
		return s.Green("create   ")
	case "u":
		return s.Yellow("update   ")
	case "d":
		return s.Red("delete   ")
	case "t":
		return s.Red("truncate ")
	}
	return "read     "
}
