package look

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/view/local"
	"github.com/evertdb/evert/pipeline/view/query"
)

// getFlags are how a row is asked for.
type getFlags struct {
	server  string
	waitFor []string
	timeout time.Duration
}

func (a verbs) getVerb() *cobra.Command {
	var flags getFlags
	c := &cobra.Command{
		Use:   "get VIEW KEY…",
		Short: "Print one row of a view",
		Long: `Print the row of a view with a key: one argument for each key column, in key order,
written as Postgres prints it. \N is NULL; a text that is backslashes and then one N
takes one backslash more. The row comes from the daemon that runs for this file; without
one, from the data directory, as the view showed it last; or from the daemon at --server,
which takes the token from serve.token of the file, or from $EVERT_TOKEN. With --wait-for SOURCE:POSITION it contains what was committed before that:
on Postgres, SELECT pg_current_wal_flush_lsn() behind the commit.`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: cli.First(a.ViewNames),
		RunE:              func(_ *cobra.Command, args []string) error { return a.get(args[0], args[1:], &flags) },
	}
	c.Flags().StringVar(&flags.server, "server", "", "URL of a daemon's serve.http, instead of the daemon of the file")
	c.Flags().StringArrayVar(&flags.waitFor, "wait-for", nil, "SOURCE:POSITION that the row must have reached, or the position of an earlier answer")
	c.Flags().DurationVar(&flags.timeout, "timeout", 0, "how long to wait for it; limits.wait_timeout at most")
	a.OutputFlag(c)
	return c
}

func (a verbs) get(view string, key []string, flags *getFlags) error {
	answer, err := a.askRow(view, key, flags)
	if err != nil {
		return err
	}
	if answer.Stale != nil {
		a.Say("the view does not go on: %s [%s]\n  mend: %s", answer.Stale.Detail, answer.Stale.Code, answer.Stale.Mend)
	}
	if a.JSON() {
		e := json.NewEncoder(a.Out)
		return e.Encode(answer)
	}
	return a.writeRow(answer)
}

// askRow asks a daemon. If none runs for the file, and nobody waits for one, it
// reads what the view showed last.
func (a verbs) askRow(view string, key []string, flags *getFlags) (*api.Row, error) {
	client, err := a.ClientOf(flags.server)
	if pipeline.CodeOf(err) == cli.CodeNoDaemon && len(flags.waitFor) == 0 {
		return a.restingRow(view, key, err)
	}
	if err != nil {
		return nil, err
	}
	wait := url.Values{"wait_for": flags.waitFor}
	if flags.timeout > 0 {
		wait.Set("timeout", flags.timeout.String())
	}
	return client.Row(a.Ctx, view, key, wait)
}

// restingRow reads a row from the data directory.
func (a verbs) restingRow(name string, key []string, noDaemon error) (*api.Row, error) {
	config, err := a.Load()
	if err != nil {
		return nil, err
	}
	if config.Views[name] == nil {
		return nil, api.NoView(name)
	}
	rest, err := a.Rest(a.Ctx, config, "get", false)
	if err != nil {
		return nil, err
	}
	defer rest.Close()
	why := &pipeline.Refusal{Code: cli.CodeNoDaemon, What: "no daemon runs: this is what the view showed last", Mend: "evert run"}
	v, err := restingView(config, rest.Topics, name).Rest(why)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, noDaemon
	}
	defer v.Close()
	answer, err := query.NewReader(query.Config{}).Row(a.Ctx, name, v, key, query.Wait{})
	if err != nil {
		return nil, err
	}
	return api.RowOf(&answer), nil
}

// restingView is where the states of a view lie.
func restingView(c *configs.Config, topics *storage.Log, name string) *local.Folder {
	return &local.Folder{Dir: filepath.Join(c.DataDir, "views", name), Identity: store.Identity{Deployment: c.Name, View: name, Log: topics.Identity()}}
}

// writeRow prints a row for people: a column on a line, documents indented.
func (a verbs) writeRow(answer *api.Row) error {
	columns, err := answer.Columns()
	if err != nil {
		return err
	}
	width := 0
	for _, c := range columns {
		width = max(width, len([]rune(c.Name)))
	}
	style := a.Style(a.Out)
	for _, c := range columns {
		var text bytes.Buffer
		if json.Indent(&text, c.Value, strings.Repeat(" ", width+2), "  ") != nil {
			text.Write(c.Value)
		}
		pad := strings.Repeat(" ", width-len([]rune(c.Name)))
		if _, err := fmt.Fprintf(a.Out, "%s%s  %s\n", style.Dim(c.Name), pad, &text); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(a.Out, "%s\n", style.Dim("at "+answer.Position))
	return err
}
