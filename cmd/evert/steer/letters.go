package steer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/letters"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/pipeline"
)

func (a verbs) dlqVerb() *cobra.Command {
	c := &cobra.Command{
		Use:   "dlq",
		Short: "Records that could not be delivered",
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.dlqListVerb(), a.dlqReplayVerb())
	return c
}

// listFlags are what of the letters is shown.
type listFlags struct {
	limit  int
	show   string
	values bool
}

func (a verbs) dlqListVerb() *cobra.Command {
	var flags listFlags
	c := &cobra.Command{
		Use:   "list SINK|TOPIC",
		Short: "List the dead letters of a sink, or of a table's topic",
		Long: `List the dead letters of a sink, or of a table's topic: where each record stands, why it
could not be delivered, and when; and how often each reason is. Nothing of a row is printed.
--show N shows one letter, by its number in the list or its place; with --values also the
record, decoded.`,
		Args:              cli.Strict(cobra.ExactArgs(1)),
		ValidArgsFunction: cli.First(a.SinkNames),
		RunE:              func(_ *cobra.Command, args []string) error { return a.listLetters(args[0], &flags) },
	}
	c.Flags().IntVar(&flags.limit, "limit", 100, "letters to list; 0 lists all")
	c.Flags().StringVar(&flags.show, "show", "", "show the letter of this number or place")
	c.Flags().BoolVar(&flags.values, "values", false, "with --show: print the values of its row, too")
	a.OutputFlag(c)
	return c
}

func (a verbs) dlqReplayVerb() *cobra.Command {
	var r api.Replay
	code, dry := "", false
	c := &cobra.Command{
		Use:   "replay SINK",
		Short: "Deliver dead letters once more",
		Long: `Deliver dead letters of a sink once more, in the order of their places, through the sink's
transforms. A letter is taken off when its row was taken. Where the topic has a newer record of
the row, that one counts: it was delivered in its turn or will be, and the letter is taken off.
What is rejected again stays, with one more attempt. The sink rests meanwhile.
Without --yes, what would be done is listed and nothing is changed.`,
		Args:              cli.Strict(cobra.ExactArgs(1)),
		ValidArgsFunction: cli.First(a.SinkNames),
		RunE: func(_ *cobra.Command, args []string) error {
			r.Code, r.Yes = pipeline.Code(code), r.Yes && !dry
			return a.replayLetters(args[0], r)
		},
	}
	c.Flags().StringVar(&code, "code", "", "only letters with this reason")
	c.Flags().StringVar(&r.Place, "place", "", "only the letter of this place, as topic/partition/offset")
	c.Flags().BoolVar(&dry, "dry-run", false, "only list what would be done; so without --yes")
	c.Flags().BoolVar(&r.Yes, "yes", false, "do it")
	a.OutputFlag(c)
	return c
}

func (a verbs) listLetters(name string, flags *listFlags) error {
	config, err := a.Load()
	if err != nil {
		return err
	}
	client, rest, err := a.DaemonOr(a.Ctx, config, "dlq list", false)
	if err != nil {
		return err
	}
	var from letters.Letters
	if client != nil {
		from = letters.OfClient{Client: client}
	} else {
		defer rest.Close()
		from = &letters.OfLog{Config: config, Log: rest.Topics, Registry: rest.Registry}
	}
	if flags.show != "" {
		return a.showLetter(from, name, flags)
	}
	list, err := from.DeadLetters(a.Ctx, name, flags.limit)
	if err != nil {
		return err
	}
	if a.JSON() {
		return a.PrintJSON(list)
	}
	return a.printLetters(&list)
}

func (a verbs) printLetters(list *api.DeadLetters) error {
	if list.Total == 0 {
		_, err := fmt.Fprintf(a.Out, "%s holds no dead letters\n", list.Topic)
		return err
	}
	s := a.Style(a.Out)
	t := terminal.Table{Header: []string{">", "place", "reason", "when", ">tries", ">bytes"}, Style: s}
	for i, l := range list.Letters {
		when := ""
		if !l.At.IsZero() {
			when = l.At.Local().Format(time.DateTime)
		}
		t.Add(strconv.Itoa(i+1), l.Place, string(l.Code), when, strconv.Itoa(max(1, l.Attempt)), strconv.FormatInt(l.Bytes, 10))
	}
	if err := t.Write(a.Out); err != nil {
		return err
	}
	if n := len(list.Letters); n < list.Total {
		fmt.Fprintf(a.Out, "… and %d more: --limit 0 lists all\n", list.Total-n)
	}
	letters := "dead letters"
	if list.Total == 1 {
		letters = "dead letter"
	}
	fmt.Fprintf(a.Out, "%d %s in %s\n", list.Total, letters, list.Topic)
	reasons := terminal.Table{Indent: "  "}
	for _, r := range list.Reasons {
		reasons.Add(strconv.Itoa(r.Count), string(r.Code), s.Dim("evert help "+string(r.Code)))
	}
	return reasons.Write(a.Out)
}

func (a verbs) showLetter(from letters.Letters, name string, flags *listFlags) error {
	place := flags.show
	if n, err := strconv.Atoi(place); err == nil {
		list, err := from.DeadLetters(a.Ctx, name, 0)
		if err != nil {
			return err
		}
		if n < 1 || n > len(list.Letters) {
			return exit.Usage(fmt.Errorf("there is no letter %d: the list has %d", n, len(list.Letters)))
		}
		place = list.Letters[n-1].Place
	}
	l, err := from.DeadLetter(a.Ctx, name, place, flags.values)
	if err != nil {
		return err
	}
	if a.JSON() {
		return a.PrintJSON(l)
	}
	t := terminal.Table{}
	for _, row := range [][2]string{{"place", l.Place}, {"sink", l.Sink}, {"incarnation", l.Incarnation}, {"reason", string(l.Code)}, {"what", l.What},
		{"when", l.At.Local().Format(time.RFC3339)}, {"tries", strconv.Itoa(l.Attempt)}, {"holds", l.Held}, {"bytes", strconv.FormatInt(l.Bytes, 10)}} {
		if row[1] != "" {
			t.Add(row[0], row[1])
		}
	}
	switch {
	case len(l.Record) > 0:
		var line bytes.Buffer
		if err := json.Compact(&line, l.Record); err != nil {
			return err
		}
		t.Add("record", line.String())
	case flags.values:
		t.Add("key", fmt.Sprintf("%x", l.Key))
		t.Add("value", fmt.Sprintf("%x", l.Value))
	}
	return t.Write(a.Out)
}

func (a verbs) replayLetters(sink string, r api.Replay) error {
	config, err := a.Load()
	if err != nil {
		return err
	}
	r.By = cli.WhoAmI()
	client, rest, err := a.DaemonOr(a.Ctx, config, "dlq replay", false)
	if err != nil {
		return err
	}
	if client == nil {
		rest.Close()
		return &pipeline.Refusal{Code: cli.CodeNotRunning, Where: "sink " + sink, What: "no daemon runs here, and letters are delivered by the one that owns the sink",
			Mend: "evert run   # then, on that machine: evert dlq replay " + sink}
	}
	done, err := client.Replay(a.Ctx, sink, r)
	if err != nil {
		return err
	}
	if a.JSON() {
		return a.PrintJSON(done)
	}
	return a.printReplayed(sink, &done)
}

func (a verbs) printReplayed(sink string, done *api.Replayed) error {
	head := "this would be done; nothing was changed:"
	if done.Done {
		head = "done:"
	}
	if len(done.Letters) == 0 {
		_, err := fmt.Fprintln(a.Out, "there are no such letters")
		return err
	}
	fmt.Fprintln(a.Out, head)
	t := terminal.Table{Indent: "  "}
	for _, l := range done.Letters {
		t.Add(l.Outcome, l.Place, a.Style(a.Out).Dim(l.What))
	}
	if err := t.Write(a.Out); err != nil || done.Done {
		return err
	}
	_, err := fmt.Fprintf(a.Out, "do it: evert dlq replay %s --yes\n", sink)
	return err
}
