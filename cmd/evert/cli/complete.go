package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/log"
)

// completion is what a verb's first argument may be: shells ask for it while a
// person types.
type completion = func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// First completes the first argument of a verb from what names gives.
func First(names func() []string) completion {
	return func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		fits := slices.DeleteFunc(names(), func(name string) bool { return !strings.HasPrefix(name, begun) })
		slices.Sort(fits)
		return slices.Compact(fits), cobra.ShellCompDirectiveNoFileComp
	}
}

// Each completes every argument of a verb from what names gives.
func Each(names func() []string) completion {
	return func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		fits := slices.DeleteFunc(names(), func(name string) bool { return !strings.HasPrefix(name, begun) || slices.Contains(args, name) })
		slices.Sort(fits)
		return slices.Compact(fits), cobra.ShellCompDirectiveNoFileComp
	}
}

// SourceNames are those of the file. A file that cannot be read names nothing,
// silently: somebody is typing.
func (a *App) SourceNames() []string {
	c, err := configs.Load(a.File, a.Env)
	if err != nil {
		return nil
	}
	return slices.Collect(maps.Keys(c.Sources))
}

// TopicNames are tables and topics: those that a running daemon knows, and those
// that the file names exactly.
func (a *App) TopicNames() (names []string) {
	c, err := configs.Load(a.File, a.Env)
	if err != nil {
		return nil
	}
	names = slices.AppendSeq(names, maps.Keys(c.Views))
	for _, s := range c.Sources {
		_, tables, _ := s.Patterns()
		for _, p := range tables {
			if schema, table, ok := p.Exact(); ok {
				names = append(names, p.String(), log.TableTopic(s.TopicPrefix, schema, table))
			}
		}
	}
	for _, s := range a.SourcesOfDaemon(c) {
		for _, t := range s.Tables {
			names = append(names, t.Table, t.Topic)
		}
	}
	return names
}

// SourcesOfDaemon are those of the daemon that runs, if one does and answers.
func (a *App) SourcesOfDaemon(c *configs.Config) []monitor.SourceStatus {
	ctx, cancel := context.WithTimeout(a.Ctx, 2*time.Second)
	defer cancel()
	client, err := api.Dial(ctx, datadir.SocketPath(c.DataDir))
	if err != nil {
		return nil
	}
	st, err := client.Status(ctx)
	if err != nil {
		return nil
	}
	return st.Sources
}

// ViewNames are those of the file, for completion.
func (a *App) ViewNames() (names []string) {
	c, err := configs.Load(a.File, a.Env)
	if err != nil {
		return nil
	}
	for name := range c.Views {
		names = append(names, name)
	}
	return names
}

// SinkNames are those of the file, for completion.
func (a *App) SinkNames() []string {
	c, err := configs.Load(a.File, a.Env)
	if err != nil {
		return nil
	}
	return slices.Collect(maps.Keys(c.Sinks))
}
