package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

// Resting is a deployment whose daemon does not run, read from its data
// directory or its cluster.
type Resting struct {
	Config   *configs.Config
	Dir      *datadir.Dir // nil when the log is on a cluster
	Topics   *storage.Log
	Registry registry.Registry
}

// DaemonOr asks the running daemon, or else opens the deployment itself; one of
// both is not nil. Nothing is changed unless write is true.
func (a *App) DaemonOr(ctx context.Context, c *configs.Config, verb string, write bool) (*api.Client, *Resting, error) {
	client, err := api.Dial(ctx, datadir.SocketPath(c.DataDir))
	if err == nil {
		return client, nil, nil
	}
	if !errors.Is(err, api.ErrNoDaemon) {
		return nil, nil, fmt.Errorf("ask the daemon: %w", err)
	}
	r, err := a.Rest(ctx, c, verb, write)
	return nil, r, err
}

// Rest opens the deployment of a file for a verb, if no daemon has it; close it.
func (a *App) Rest(ctx context.Context, c *configs.Config, verb string, write bool) (*Resting, error) {
	if c.Kafka == nil && !datadir.Exists(c.DataDir) {
		return nil, &pipeline.Refusal{Code: CodeNothingYet, Where: "data directory " + c.DataDir,
			What: "nothing was captured there yet, and no daemon is running", Mend: "evert run -c " + a.File}
	}
	r := &Resting{Config: c}
	var err error
	if c.Kafka == nil { // a cluster needs no folder to be read
		if r.Dir, err = datadir.Take(ctx, c.DataDir, verb, 2*time.Second); err != nil {
			return nil, err
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	if r.Topics, err = storage.OpenLog(ctx, c, !write, quiet, storage.Events{}); err != nil {
		r.Close()
		return nil, fmt.Errorf("open the log: %w", err)
	}
	if r.Registry, err = storage.OpenRegistry(ctx, c, r.Topics, registry.Events{}); err != nil {
		r.Close()
		return nil, fmt.Errorf("open the registry: %w", err)
	}
	return r, nil
}

func (r *Resting) Close() {
	if r.Topics != nil {
		_ = r.Topics.Close()
	}
	if r.Dir != nil {
		_ = r.Dir.Close()
	}
}

// Status tells what the frontiers say.
func (r *Resting) Status(ctx context.Context) (api.Status, error) {
	st := api.Status{Deployment: r.Config.Name, Version: ThisBuild().Version, At: time.Now(),
		Log: r.Topics.Status(), Sources: []monitor.SourceStatus{}}
	for _, name := range slices.Sorted(maps.Keys(r.Config.Sources)) {
		s, err := r.Source(ctx, name)
		if err != nil {
			return st, err
		}
		st.Log.Topics += len(s.Tables)
		st.Sources = append(st.Sources, s)
	}
	st.Health = monitor.Judge(st.Sources)
	st.Ready = false
	st.Add(monitor.Reason{Component: "daemon", Light: monitor.Red, Problem: monitor.Problem{Code: CodeNotRunning, At: st.At,
		Text: "no daemon runs for this file, so that nothing is captured", Mend: "evert run"}})
	return st, nil
}

// Source tells what one source's frontier says.
func (r *Resting) Source(ctx context.Context, name string) (monitor.SourceStatus, error) {
	kind, _, err := databases.Open(databases.Place{Config: r.Config, Name: name, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return monitor.SourceStatus{}, err
	}
	fold, err := log.ReadFrontier(ctx, r.Topics, log.FrontierTopic(r.Config.Name, name))
	if err != nil {
		return monitor.SourceStatus{}, err
	}
	s := monitor.SourceStatus{Name: name, Kind: kind.Kind, State: monitor.Stopped, Tables: []monitor.TableStatus{}}
	f, ok := fold.Frontier()
	if !ok {
		return s, nil
	}
	s.Ready, s.Position, s.Seq = !f.Resume.At.IsZero(), f.Resume.At.Native, f.Resume.At.Seq
	if !f.Time.IsZero() {
		lag := max(0, time.Since(f.Time).Seconds())
		s.LagSeconds, s.Since = &lag, f.Time
	}
	for _, topic := range slices.Sorted(maps.Keys(f.Tables)) {
		state := f.Tables[topic]
		table := monitor.TableStatus{Topic: topic, Table: topic, State: state.State.String(), Rows: f.RowsBelow(topic)}
		if why := state.Why; why.Code != "" && state.State == log.Stopped {
			table.Problem = &monitor.Problem{Code: why.Code, Text: why.Text + " [" + string(why.Code) + "]", Mend: "evert help " + string(why.Code), At: why.At}
		}
		s.Tables = append(s.Tables, table)
	}
	return s, nil
}
