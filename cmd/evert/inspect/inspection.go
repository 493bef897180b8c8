package inspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// codeUnanswered says that a server or a system cannot be asked.
const codeUnanswered pipeline.Code = "SOURCE_UNANSWERED"

// An inspection looks at everything that one file names, and changes nothing:
//
//	file ─► this machine ─► the log ─► where each source is ─► its server; the systems of sinks
//	                             └───► the registry
//
// A running daemon holds the embedded log, and knows best how its sources are;
// then it is asked instead.
type inspection struct {
	file   *configs.Config
	found  []Finding
	daemon *api.Status                      // of the daemon that runs here; nil if none does
	dir    *datadir.Dir                     // taken while the embedded log is read
	topics *storage.Log                     // nil if it cannot be read
	tables map[string][]databases.TableName // that each source would capture, as far as its server said
}

// inspectionTime bounds each part of an inspection.
const inspectionTime = 30 * time.Second

// Look inspects what a file names; without connect only what the file says by itself.
// Its error is a mistake of the file.
func Look(ctx context.Context, c *configs.Config, connect bool) ([]Finding, error) {
	i := &inspection{file: c}
	err := i.look(ctx, connect)
	return i.found, err
}

func (i *inspection) look(ctx context.Context, connect bool) error {
	for _, w := range i.file.Warnings() {
		i.found = append(i.found, Finding{Level: pipeline.Warns.String(), What: w, Refusal: errors.New(w)})
	}
	opened := map[string]databases.Database{}
	for _, name := range i.file.SourceNames() {
		_, d, err := open(i.file, name)
		if err != nil {
			return err
		}
		opened[name] = d
	}
	if !connect {
		return nil
	}
	i.lookForDaemon(ctx)
	i.lookAtMachine()
	i.lookAtListeners(ctx)
	i.openLog(ctx)
	defer i.close()
	i.lookAtState(ctx)
	i.tables = map[string][]databases.TableName{}
	for _, name := range i.file.SourceNames() {
		i.lookAtSource(ctx, name, opened[name])
	}
	i.lookAtViews(ctx)
	i.lookAtSinks(ctx)
	i.lookAtCluster(ctx)
	i.lookAtRegistry(ctx)
	return nil
}

func open(c *configs.Config, name string) (databases.Connector, databases.Database, error) {
	return databases.Open(databases.Place{Config: c, Name: name, Log: slog.New(slog.DiscardHandler)})
}

func (i *inspection) add(source string, found ...pipeline.Finding) {
	for _, f := range found {
		i.found = append(i.found, FindingOf(source, f))
	}
}

func (i *inspection) close() {
	if i.topics != nil {
		_ = i.topics.Close()
	}
	if i.dir != nil {
		_ = i.dir.Close()
	}
}

// lookForDaemon asks the daemon that runs for this file, if one does.
func (i *inspection) lookForDaemon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, inspectionTime)
	defer cancel()
	client, err := api.Dial(ctx, datadir.SocketPath(i.file.DataDir))
	if errors.Is(err, api.ErrNoDaemon) {
		return
	}
	var st api.Status
	if err == nil {
		st, err = client.Status(ctx)
	}
	if err != nil {
		i.found = append(i.found, failures("the daemon", err)...)
		return
	}
	i.daemon = &st
	i.add("", pipeline.Good("data directory "+i.file.DataDir, fmt.Sprintf("the daemon of this file runs (process %d) and holds it", st.PID)))
}

// openLog opens the log to be read. The embedded one may not be there yet.
func (i *inspection) openLog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, inspectionTime)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler)
	var err error
	switch {
	case i.file.Kafka != nil:
		i.topics, err = storage.OpenKafka(ctx, i.file, true, quiet, kafka.Events{Finding: i.foundTopic})
	case i.daemon != nil || !datadir.Exists(i.file.DataDir):
		return
	default:
		if i.dir, err = datadir.Take(ctx, i.file.DataDir, "check", 2*time.Second); err == nil {
			i.topics, err = storage.OpenEmbedded(i.file, true, embedded.Events{})
		}
	}
	if pipeline.CodeOf(err) == embedded.RefuseMissing {
		return
	}
	i.found = append(i.found, failures("the log", err)...)
}

// lookAtSource asks a source's server, and the daemon that captures it.
func (i *inspection) lookAtSource(ctx context.Context, name string, d databases.Database) {
	if i.daemon != nil {
		i.relay(name)
	}
	from := i.stored(ctx, name)
	r, err := d.Check(ctx, from)
	if again := i.stored(ctx, name); from != nil && (again == nil || again.At != from.At) {
		r, err = d.Check(ctx, nil) // a daemon elsewhere moves it on: it compares, not we
	}
	if err != nil {
		r.Found = append(r.Found, pipeline.Found(pipeline.Fails, pipeline.Refusal{Code: codeUnanswered, Where: "source " + name,
			What: "its server cannot be asked", Err: err, Mend: "see that the server takes connections, then run the check again"}))
	}
	i.add(name, r.Found...)
	i.tables[name] = r.Tables
	if err == nil {
		i.lookAtTransforms(ctx, name, d)
	}
}

// relay says how the daemon finds a source.
func (i *inspection) relay(name string) {
	for _, s := range i.daemon.Sources {
		if s.Name != name {
			continue
		}
		if p := s.Problem; p != nil {
			severity := pipeline.Warns
			if s.State == monitor.Refused || s.State == monitor.Stuck {
				severity = pipeline.Fails
			}
			i.add(name, pipeline.Found(severity, pipeline.Refusal{Code: p.Code, Where: "the daemon", What: p.Text, Mend: p.Mend}))
			continue
		}
		i.add(name, pipeline.Good("the daemon", "it is "+string(s.State)+" at "+terminal.Position(s.Position, s.Seq)))
	}
}

// stored gives where a source would go on; nil if that is not to be known.
func (i *inspection) stored(ctx context.Context, name string) *pipeline.Resume {
	switch {
	case i.daemon != nil:
		return nil // it moves on while we look
	case i.topics == nil && i.file.Kafka != nil:
		return nil
	case i.topics == nil:
		return &pipeline.Resume{} // nothing was captured yet
	}
	at := i.frontier(ctx, name)
	if at == nil {
		return nil
	}
	return &at.Resume
}

// frontier reads a source's, with the part that follows it; nil if it cannot be
// read, which is told once.
func (i *inspection) frontier(ctx context.Context, name string) *log.Frontier {
	ctx, cancel := context.WithTimeout(ctx, inspectionTime)
	defer cancel()
	fold, err := log.ReadFrontier(ctx, i.topics, log.FrontierTopic(i.file.Name, name))
	if err != nil {
		for _, f := range failures("the frontier of source "+name, err) {
			if !slices.ContainsFunc(i.found, func(was Finding) bool { return was.Where == f.Where && was.What == f.What }) {
				i.found = append(i.found, f)
			}
		}
		return nil
	}
	at, _ := fold.Frontier()
	if part, ok := fold.Part(); ok {
		at = part
	}
	return at
}
