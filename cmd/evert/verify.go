package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/cmd/evert/verify"
)

func (a *app) verifyVerb() *cobra.Command {
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
		ValidArgsFunction: first(a.topicNames),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.verify(api.VerifyRequest{Name: args[0], Repair: repair})
		},
	}
	c.Flags().BoolVar(&repair, "repair", false, "put right what differs: in a sink's system, or by copying the table again")
	a.outputFlag(c)
	return c
}

func (a *app) verify(req api.VerifyRequest) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	client, err := api.Dial(a.ctx, datadir.SocketPath(config.DataDir))
	if err != nil {
		return noDaemon(config, err, "what it writes is compared by the one that writes it", "evert run")
	}
	found, err := client.Verify(a.ctx, req, func(p api.VerifyProgress) {
		if p.Rows > 0 {
			a.say("%s: %s rows", p.Step, terminal.Count(p.Rows))
			return
		}
		a.say("%s", p.Step)
	})
	if err == nil && req.Repair && found.Kind == "table" && !found.Same() {
		err = a.copyToRepair(client, found)
	}
	if err != nil {
		return err
	}
	if a.json() {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		err = e.Encode(found)
	} else {
		err = writeVerified(a, found)
	}
	if err == nil && !found.Same() && found.Repaired == 0 {
		err = &exit.Error{Code: exit.Differs, Err: exit.ErrSaid}
	}
	return err
}

// copyToRepair copies a table again, and waits until that is whole.
func (a *app) copyToRepair(client *api.Client, found *api.Verified) error {
	differ := found.Missing + found.Surplus + found.Differing + found.Twice
	a.say("%s rows differ: the table is copied again", terminal.Count(differ))
	asked, err := client.TableCommand(a.ctx, found.Table, api.TableCommand{Command: "snapshot", By: whoAmI()})
	if err != nil {
		return err
	}
	if _, err := a.awaitCopy(client, asked); err != nil {
		return err
	}
	found.Repaired = differ
	return nil
}

func writeVerified(a *app, v *api.Verified) error {
	s := a.style(a.out)
	first, here := "the database", "here"
	if v.Kind == "sink" {
		first, here = "the topic", "in its system"
	}
	_, err := fmt.Fprintf(a.out, "%s %s at %s: %s rows in %s, %s equal\n", v.Kind, s.Bold(v.Name), v.Position, terminal.Count(v.Rows), first, terminal.Count(v.Equal))
	if err == nil && v.Refused > 0 {
		_, err = fmt.Fprintf(a.out, "%s changes that the system does not take were not compared\n", terminal.Count(v.Refused))
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
	if err := t.Write(a.out); err != nil {
		return err
	}
	keys := terminal.Table{Indent: "  "}
	for _, k := range v.Keys {
		keys.Add(s.Red(k.Kind), string(k.Key))
	}
	if err := keys.Write(a.out); err != nil {
		return err
	}
	if left := v.Missing + v.Surplus + v.Differing + v.Twice - int64(len(v.Keys)); left > 0 {
		_, err = fmt.Fprintf(a.out, "  and %s more\n", terminal.Count(left))
	}
	if v.Repaired > 0 {
		_, err = fmt.Fprintf(a.out, "%s were put right; verify again to see that\n", terminal.Count(v.Repaired))
	}
	return err
}

// newVerifier makes what compares: everything else is open.
func (d *daemon) newVerifier() *verify.Verifier {
	c := verify.Config{File: d.config, Topics: d.topics, Registry: d.registry, Views: d.views, Sinks: d.sinks, Reads: d.reads}
	for _, one := range d.captures.All() {
		c.Captures = append(c.Captures, one)
	}
	return verify.New(c)
}

// Verify implements api.Daemon.
func (d *daemon) Verify(ctx context.Context, req api.VerifyRequest, tell func(api.VerifyProgress)) (*api.Verified, error) {
	return d.verifier.Verify(ctx, req, tell)
}
