package checks

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/commands"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

func (a verbs) verifyVerb() *cobra.Command {
	repair := false
	c := &cobra.Command{
		Use:   "verify TABLE|VIEW|SINK",
		Short: "Compare a table's topic, a view or a sink with what it should hold, row by row",
		Long: `Compare a table's topic with the table itself, every row of it, at one and the same
position, while the database and the daemon work on. A snapshot of the database is taken that
is an exact prefix of its commits: on Postgres a temporary replication slot gives it, on MySQL
and MariaDB a consistent snapshot with its GTIDs, without a lock. Capture stops there for a
moment, so that the log has a cut at the very same place. Rows are equal if the server prints
the same for both. Keys of rows that differ are named, and no other values. So rows are found
that were changed past the server's log, as with sql_log_bin=0.

A view is compared with what Postgres answers to its query at that position: by the values
of the types, so that 1.0 is 1.00 and floats are equal that agree in nine digits. The order
of equal elements within string_agg, array_agg and the like is the database's to choose; a
query that leaves it open may differ there. MySQL and MariaDB do not speak the SQL of views:
there a view is compared with what its operators make of the database's rows, all at once.

A sink's system is compared with the topic that it is filled from, at a cut at which the
sink rests meanwhile. Write sinks.NAME where a view has the sink's name.

With --repair what is missing, left over or different is put right: in a sink's system these
rows and nothing else; a table is copied again while its source streams, and views and sinks
see that as one step. A view is repaired by its tables.

The exit code is 0 if all rows are equal, and 4 if not.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.First(a.TopicNames),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.verify(api.VerifyRequest{Name: args[0], Repair: repair})
		},
	}
	c.Flags().BoolVar(&repair, "repair", false, "put right what differs: in a sink's system, or by copying the table again")
	a.OutputFlag(c)
	return c
}

func (a verbs) verify(req api.VerifyRequest) error {
	config, err := a.Load()
	if err != nil {
		return err
	}
	client, err := api.Dial(a.Ctx, datadir.SocketPath(config.DataDir))
	if err != nil {
		return cli.NoDaemon(config, err, "what it writes is compared by the one that writes it", "evert run")
	}
	found, err := client.Verify(a.Ctx, req, func(p api.VerifyProgress) {
		if p.Rows > 0 {
			a.Say("%s: %s rows", p.Step, terminal.Count(p.Rows))
			return
		}
		a.Say("%s", p.Step)
	})
	if err == nil && req.Repair && found.Kind == "table" && !found.Same() {
		err = a.copyToRepair(client, found)
	}
	if err != nil {
		return err
	}
	if a.JSON() {
		e := json.NewEncoder(a.Out)
		e.SetIndent("", "  ")
		err = e.Encode(found)
	} else {
		err = a.writeVerified(found)
	}
	if err == nil && !found.Same() && found.Repaired == 0 {
		err = &exit.Error{Code: exit.Differs, Err: exit.ErrSaid}
	}
	return err
}

// copyToRepair copies a table again, and waits until that is whole.
func (a verbs) copyToRepair(client *api.Client, found *api.Verified) error {
	differ := found.Missing + found.Surplus + found.Differing + found.Twice
	a.Say("%s rows differ: the table is copied again", terminal.Count(differ))
	asked, err := client.TableCommand(a.Ctx, found.Table, api.TableCommand{Command: "snapshot", By: cli.WhoAmI()})
	if err != nil {
		return err
	}
	if _, err := commands.AwaitCopy(a.Ctx, client, asked, a.Say); err != nil {
		return err
	}
	found.Repaired = differ
	return nil
}

func (a verbs) writeVerified(v *api.Verified) error {
	s := a.Style(a.Out)
	first, here := "the database", "here"
	if v.Kind == "sink" {
		first, here = "the topic", "in its system"
	}
	_, err := fmt.Fprintf(a.Out, "%s %s at %s: %s rows in %s, %s equal\n", v.Kind, s.Bold(v.Name), v.Position, terminal.Count(v.Rows), first, terminal.Count(v.Equal))
	if err == nil && v.Refused > 0 {
		_, err = fmt.Fprintf(a.Out, "%s changes that the system does not take were not compared\n", terminal.Count(v.Refused))
	}
	if err != nil || v.Same() {
		return err
	}
	t := terminal.Table{Indent: "  "}
	for _, k := range []struct {
		n    int64
		what string
	}{{v.Missing, "only in " + first}, {v.Surplus, "only " + here}, {v.Differing, "with other values"}, {v.Twice, "more than once in the database's answer"}} {
		if k.n > 0 {
			t.Add(terminal.Count(k.n), k.what)
		}
	}
	if err := t.Write(a.Out); err != nil {
		return err
	}
	keys := terminal.Table{Indent: "  "}
	for _, k := range v.Keys {
		keys.Add(s.Red(k.Kind), string(k.Key))
	}
	if err := keys.Write(a.Out); err != nil {
		return err
	}
	if left := v.Missing + v.Surplus + v.Differing + v.Twice - int64(len(v.Keys)); left > 0 {
		_, err = fmt.Fprintf(a.Out, "  and %s more\n", terminal.Count(left))
	}
	if v.Repaired > 0 {
		_, err = fmt.Fprintf(a.Out, "%s were put right; verify again to see that\n", terminal.Count(v.Repaired))
	}
	return err
}
