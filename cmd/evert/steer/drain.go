package steer

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/datadir"
)

func (a verbs) drainVerb() *cobra.Command {
	var d api.Drain
	c := &cobra.Command{
		Use:   "drain SOURCE",
		Short: "Read a Postgres source to its end, before its server is upgraded",
		Long: `Read a Postgres source to its end and stop it there, before its server is upgraded to
another major version: that drops the replication slot, or leaves it where nothing vouches
for it. Nobody may write meanwhile, nor until the source goes on on the new server:

  ALTER DATABASE shop SET default_transaction_read_only = on;

says so to the server, and to the new one, which pg_upgrade and pg_dump take it to. A drain
is refused while somebody can write, and tells who. With --until-shutdown it waits for

  pg_ctl stop -m fast

and ends with the server, which sends all that its sessions have committed and waits until
it is stored; who says BEGIN READ WRITE meanwhile is read too. That is for pg_upgrade: a dump
needs a server that runs. What is to be done next is printed. On
the new server, under the same name of the database, the source goes on by itself, makes its
slot, and copies nothing again but tables that are not what they were.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.First(a.SourceNames),
		RunE:              func(_ *cobra.Command, args []string) error { return a.drain(args[0], d) },
	}
	c.Flags().BoolVar(&d.WritersStopped, "writers-stopped", false, "the database is not read-only, and I vouch that nobody writes until the source goes on")
	c.Flags().BoolVar(&d.Cancel, "cancel", false, "there is no upgrade: go on where the source was drained")
	c.Flags().BoolVar(&d.UntilShutdown, "until-shutdown", false, "stay until the server was shut down, and read what is written until then")
	c.MarkFlagsMutuallyExclusive("writers-stopped", "cancel")
	c.MarkFlagsMutuallyExclusive("until-shutdown", "cancel")
	a.OutputFlag(c)
	return c
}

func (a verbs) drain(source string, d api.Drain) error {
	config, err := a.Load()
	if err != nil {
		return err
	}
	client, err := api.Dial(a.Ctx, datadir.SocketPath(config.DataDir))
	if err != nil {
		return cli.NoDaemon(config, err, "a source is drained by the one that streams from it", "evert run")
	}
	if d.UntilShutdown {
		fmt.Fprintf(a.Err, "source %s is read until its server is shut down: pg_ctl stop -m fast\n", source)
	}
	drained, err := client.Drain(a.Ctx, source, d)
	if err != nil {
		return err
	}
	if a.JSON() {
		return a.PrintJSON(drained)
	}
	if d.Cancel {
		_, err = fmt.Fprintf(a.Out, "source %s goes on where it was drained\n", source)
		return err
	}
	fmt.Fprintf(a.Out, "source %s is drained at %s: everything was read and is in the log. Next:\n", source, drained.Position)
	for i, step := range drained.Next {
		fmt.Fprintf(a.Out, "  %d. %s\n", i+1, step)
	}
	return nil
}
