package cli

import (
	"errors"
	"fmt"
	"os"
	"os/user"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
)

// ClientOf asks the daemon at a URL, or the one of the file.
func (a *App) ClientOf(server string) (*api.Client, error) {
	if server != "" {
		token, err := a.token()
		if err != nil {
			return nil, err
		}
		return api.DialURL(server, token)
	}
	config, err := a.Load()
	if err != nil {
		return nil, err
	}
	client, err := api.Dial(a.Ctx, datadir.SocketPath(config.DataDir))
	if err != nil {
		return nil, NoDaemon(config, err, "views are shown by the one that keeps them current", "evert run   # or ask another one: --server URL")
	}
	return client, nil
}

// token gives the bearer token for another daemon: the environment's, or the
// file's if there is one that can be read.
func (a *App) token() (string, error) {
	if token := a.Getenv("EVERT_TOKEN"); token != "" {
		return token, nil
	}
	config, err := configs.Load(a.File, a.Env)
	if err != nil {
		return "", nil // the other daemon says whether it wants one
	}
	return config.Serve.Token.Reveal()
}

// WhoAmI names who gives a command, for those who look later.
func WhoAmI() string {
	name, host := "somebody", "somewhere"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// NoDaemon says that a verb needs the daemon and why, if err is that there is none.
func NoDaemon(c *configs.Config, err error, why, mend string) error {
	if !errors.Is(err, api.ErrNoDaemon) {
		return fmt.Errorf("ask the daemon: %w", err)
	}
	return &pipeline.Refusal{Code: CodeNoDaemon, Where: "data directory " + c.DataDir, What: "no daemon is running there, and " + why, Mend: mend}
}
