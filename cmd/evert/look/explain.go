package look

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/inspect"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/sql"
)

func (a verbs) explainVerb() *cobra.Command {
	server := ""
	c := &cobra.Command{
		Use:   "explain VIEW|SINK",
		Short: "Show how a view is kept current, or what a sink does",
		Long: `Show how a view is kept current: its operators, what identifies the rows of each, the
topics that it reads and writes, and what its state keeps. The tables' columns are asked
of the servers. Operators are numbered; "again" is one whose rows go to several.

With a daemon that runs for this file, or the one at --server, it also shows how many
changed rows each operator took and gave, and its fan-out: rows out for each row in. A
row that is updated leaves a table's scan as two, the one before and the one after; all
scans of one table share their rows.

Of a sink it shows what the file says: the topic, the frontier that it goes by, what a
commit is, and the definition by which its system is filled anew.`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: cli.First(a.ViewNames),
		RunE: func(_ *cobra.Command, args []string) error { return a.explainView(args[0], server) },
	}
	c.Flags().StringVar(&server, "server", "", "URL of a daemon's serve.http: explain what it maintains, whatever the file says")
	a.OutputFlag(c)
	return c
}

func (a verbs) explainView(name, server string) error {
	if server == "" {
		c, err := a.Load()
		if err != nil {
			return err
		}
		if c.Views[name] == nil && c.Sinks[name] != nil {
			return a.explainSink(c, name)
		}
	}
	e, err := a.explanation(name, server)
	if err != nil {
		return err
	}
	if a.JSON() {
		out := json.NewEncoder(a.Out)
		out.SetIndent("", "  ")
		return out.Encode(e)
	}
	return writeExplanation(a.Out, a.Style(a.Out), e)
}

// explanation asks the daemon at server, or compiles the view for the tables as the
// servers have them and asks the daemon of the file what that came to.
func (a verbs) explanation(name, server string) (*api.Explanation, error) {
	if server != "" {
		client, err := a.ClientOf(server)
		if err != nil {
			return nil, err
		}
		return client.Explain(a.Ctx, name)
	}
	c, err := a.Load()
	if err != nil {
		return nil, err
	}
	if c.Views[name] == nil {
		return nil, exit.Usage(fmt.Errorf("there is no view %s in the file; there are %v", name, slices.Sorted(maps.Keys(c.Views))))
	}
	now, err := a.explainFile(name, c)
	running, asked := a.explainRunning(name)
	switch {
	case err != nil && running != nil && !isInvalid(err):
		return running, nil // the servers cannot be asked, and it knows
	case err != nil:
		return nil, err
	case running == nil && asked == nil:
		now.Unknown = api.NoDaemon
	case running == nil:
		now.Unknown = api.NotYet
	case running.Version != now.Version:
		now.Unknown = api.OtherVersion
	default:
		return running, nil
	}
	return now, nil
}

// isInvalid tells a view that has a mistake from a server that does not answer.
func isInvalid(err error) bool {
	var problems configs.Errors
	return errors.As(err, &problems)
}

// explainRunning asks the daemon of the file; without one both are nil.
func (a verbs) explainRunning(name string) (*api.Explanation, error) {
	client, err := a.ClientOf("")
	if pipeline.CodeOf(err) == cli.CodeNoDaemon {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e, err := client.Explain(a.Ctx, name)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (a verbs) explainFile(name string, c *configs.Config) (*api.Explanation, error) {
	known, err := inspect.ServersTables(a.Ctx, c)
	if err != nil {
		return nil, err
	}
	p, err := views.CompileOver(c, known, name)
	if err != nil {
		return nil, exit.Invalid(err)
	}
	return views.Explain(c, name, p)
}

// writeExplanation prints an explanation for people.
func writeExplanation(w io.Writer, s terminal.Style, e *api.Explanation) error {
	fmt.Fprintf(w, "view by (%s)\n", strings.Join(e.Key, ", "))
	for _, index := range e.Indexes {
		fmt.Fprintf(w, "also by (%s)\n", strings.Join(index, ", "))
	}
	if err := writeOperators(w, s, e); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nreads  %s\n", strings.Join(e.Reads, "\n       "))
	fmt.Fprintf(w, "writes %s, frontier %s\nversion %s\n\n", e.Writes, e.Frontier, e.Version)
	t := terminal.Table{Indent: "  ", Style: s, Header: []string{">COLLECTION", "HOLDS", "OF"}}
	for _, k := range e.Keeps {
		t.Add(strconv.Itoa(int(k.Number)), k.Holds, fmt.Sprintf("#%d %s", k.Of, e.Operators[k.Of-1].Does))
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if e.Position != "" {
		fmt.Fprintf(w, "\nstate %s, epoch %d at %s\n", terminal.Bytes(e.StateBytes), e.Epoch, e.Position)
	}
	return nil
}

// writeOperators prints the tree, each operator behind what it took and gave, and
// then what the whole view did.
func writeOperators(w io.Writer, s terminal.Style, e *api.Explanation) error {
	list := make([]sql.Operator, len(e.Operators))
	for i, o := range e.Operators {
		list[i] = sql.Operator{Does: o.Does, Unique: o.Unique}
		for _, in := range o.Inputs {
			list[i].Inputs = append(list[i].Inputs, in-1)
		}
	}
	flow := flowsOf(e)
	t := terminal.Table{Style: s}
	if flow != nil {
		t.Header = []string{">ROWS IN", ">ROWS OUT", ">FAN-OUT", "OPERATOR"}
	}
	for _, line := range sql.Tree(list) {
		cells := []string{line.Text}
		if flow != nil {
			cells = []string{"", "", "", line.Text}
		}
		if flow != nil && line.Operator >= 0 {
			copy(cells, flowCells(flow(&e.Operators[line.Operator])))
		}
		t.Add(cells...)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if flow != nil {
		fmt.Fprintln(w)
	}
	writeWork(w, "filled in   ", e.Filled)
	writeWork(w, "followed for", e.Following)
	switch {
	case e.Unknown == api.NoDaemon:
		fmt.Fprintf(w, "\n%s, so that nobody counts the rows in and out: evert run\n", s.Yellow("not running"))
	case e.Unknown != "":
		fmt.Fprintf(w, "\n%s, so that it has no rows in and out to show: evert status\n", s.Yellow(string(e.Unknown)))
	case flow == nil:
		fmt.Fprint(w, "\nno row has moved since the daemon took the view up\n")
	}
	return nil
}

// flowsOf says which figures are shown: those of the epochs since the state was
// filled, if there are any.
func flowsOf(e *api.Explanation) func(o *api.Operator) *api.Flow {
	switch {
	case e.Following != nil:
		return func(o *api.Operator) *api.Flow { return o.Following }
	case e.Filled != nil:
		return func(o *api.Operator) *api.Flow { return o.Filled }
	}
	return nil
}

func flowCells(f *api.Flow) []string {
	if f == nil {
		return nil
	}
	return []string{terminal.Count(f.In), terminal.Count(f.Out), fanOut(f)}
}

func fanOut(f *api.Flow) string {
	if f.In == 0 {
		return "–"
	}
	return strconv.FormatFloat(f.FanOut, 'f', 2, 64)
}

func writeWork(w io.Writer, when string, k *api.Work) {
	if k == nil {
		return
	}
	epochs := "1 epoch"
	if k.Epochs != 1 {
		epochs = terminal.Count(k.Epochs) + " epochs"
	}
	fmt.Fprintf(w, "%s %s: %s rows of tables changed %s rows of the view, fan-out %s; state: %s reads (%s), %s writes (%s)\n",
		when, epochs, terminal.Count(k.In), terminal.Count(k.Out), fanOut(&k.Flow), terminal.Count(k.Reads), terminal.Bytes(k.Read), terminal.Count(k.Writes), terminal.Bytes(k.Written))
}
