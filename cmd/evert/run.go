package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/captures"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/codes"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/machine"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/service"
	"github.com/evertdb/evert/cmd/evert/sinks"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/cmd/evert/supervise"
	"github.com/evertdb/evert/cmd/evert/verify"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/embedded/listener"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema/registry"
)

// The daemon, and who makes whom:
//
//	evert.yaml ──► configs.Config
//	                    │
//	  1 prepare ────────┼──► logger, memory limit
//	  2 own ────────────┼──► data_dir/evert.lock            one daemon per folder (O04)
//	  3 openLog ────────┼──► embedded log │ Kafka
//	  4 openRegistry ───┼──► registry over the log │ Confluent's protocol
//	  4b openControl ───┼──► what people commanded before
//	                    │
//	  5 openSources ────┴──► per source:
//	                          ┌─ capture ─────────────────────────────────────────────┐
//	                          │  supervise.Component                                  │
//	                          │    └─ pipeline.Stage, made anew for each run          │
//	                          │         postgres.Source ──► capture.Sink ──► the log  │
//	                          │            │ Events              │ Events             │
//	                          │            ▼                     ▼                    │
//	                          │         monitor.Source ◄── prober, asks the server    │
//	                          └───────────────┬───────────────────────────────────────┘
//	                             watching: the disk, and who reads the topics
//	  5b openViews ───────► per view:
//	                          ┌─ maintaining ─────────────────────────────────────────┐
//	                          │  supervise.Component                                  │
//	                          │    └─ sql.Compile ─► view.Task ─► the log, its state  │
//	                          │                         │ Look, Feed                  │
//	                          │                         ▼                             │
//	                          │                      query.Reader ◄── api             │
//	                          └───────────────────────────────────────────────────────┘
//	  5c openSinks ───────► per sink:
//	                          ┌─ delivering ──────────────────────────────────────────┐
//	                          │  supervise.Component                                  │
//	                          │    └─ deliver.Delivery: a pipeline.Stage for each run │
//	                          │         deliver.Source ─► transforms ─► the outlet's  │
//	                          │         Target ─► the outside system                  │
//	                          └───────────────────────────────────────────────────────┘
//	  6 listen ──────────────────► api: serve.http, serve.health, evert.sock; listener: serve.kafka
//	  7 start ───────────────────► one goroutine per component, one per prober, one that watches
//	  8 wait ────────────────────► SIGTERM, or all sources done, or the first failure
//	  9 drain ───────────────────► components commit and end; listeners close (O01)
//	 10 close ───────────────────► log, then lock
type daemon struct {
	config *configs.Config
	flags  runFlags
	build  cli.Build
	log    *slog.Logger

	dir          *datadir.Dir
	topics       *storage.Log
	registry     registry.Registry
	captures     *captures.Captures
	monitors     []*monitor.Source
	watch        *watching
	reads        *query.Reader // of views
	shown        api.Views     // nil: there are none
	verifier     *verify.Verifier
	views        *views.Views      // the same; nil: there are none
	sinks        *sinks.Sinks      // nil: there are none
	control      *control.Follower // what people commanded of sinks and tables
	servers      []server
	kafka        *listener.Server // serve.kafka; nil if it is off
	listen       []api.Address
	began        time.Time
	full         atomic.Bool        // the embedded log has no room
	manager      *service.Manager   // who started us, to be told how we are; nil: nobody
	tasks        sync.WaitGroup     // what lives from start to drain, besides the captures
	rest         context.CancelFunc // ends tasks
	certificates *monitor.Certificates
	schemas      *monitor.Registry
	findings     monitor.Findings
	failed       chan error // the first failure that ends the daemon; capacity 1
}

// codeLogFull is a reason of the status: the embedded log has no room.
const codeLogFull pipeline.Code = "LOG_FULL"

// runFlags are how a daemon is run.
type runFlags struct {
	untilCaughtUp bool
	failFast      bool
	verb          string        // who we are, for the lock
	patience      time.Duration // for what a dying predecessor still holds
}

func (a *app) runVerb() *cobra.Command {
	flags := runFlags{verb: "run", patience: 10 * time.Second}
	c := &cobra.Command{
		Use:   "run",
		Short: "Capture the databases of the file until told to stop",
		Long: `Capture the databases of the file: copy their tables once, then follow every change.
SIGTERM or an interrupt ends it after a last commit; a second one ends it at once.
Nothing is lost either way. SIGHUP ends nothing: the log says what of the file has
changed since the start, and counts from the next one on.`,
		RunE: func(*cobra.Command, []string) error { return a.runDaemon(flags) },
	}
	c.Flags().BoolVar(&flags.untilCaughtUp, "until-caught-up", false, "end when every source has reached where its server was at the start")
	c.Flags().BoolVar(&flags.failFast, "fail-fast", false, "end at the first failure instead of trying again")
	c.Flags().DurationVar(&flags.patience, "patience", flags.patience, "how long a directory or port that is taken is waited for")
	return c
}

func (a *app) runDaemon(flags runFlags) error {
	c, err := a.Load()
	if err != nil {
		return err
	}
	d := &daemon{config: c, flags: flags, log: a.logger(c.Logging), manager: service.FromEnvironment()}
	defer d.answerHangups(a.Load)()
	defer d.close()
	if err := d.boot(a.Ctx); err != nil {
		if errors.Is(err, errSignal) {
			return nil
		}
		return ofCluster(err)
	}
	stop := a.showProgress(d)
	err = d.wait(a.Ctx)
	stop()
	d.drain()
	return ofCluster(err)
}

// ofCluster marks an error with which a cluster or a registry ended the run, for the exit code.
func ofCluster(err error) error {
	if code := pipeline.CodeOf(err); kafka.Refuses(code) || storage.RegistryRefuses(code) {
		return exit.Environment(err)
	}
	return err
}

// boot makes everything; nothing runs before its last step.
func (d *daemon) boot(ctx context.Context) error {
	d.prepare()
	steps := []func(context.Context) error{func(context.Context) error { return machine.EnoughFiles() }, d.own, d.openLog, d.openRegistry, d.openControl, d.openSources, d.openViews, d.openSinks, d.listenAll}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.start(ctx)
	return nil
}

func (d *daemon) prepare() {
	d.began, d.build, d.failed = time.Now(), cli.ThisBuild(), make(chan error, 1)
	d.certificates = &monitor.Certificates{Warn: d.warnOfCertificate}
	d.schemas = &monitor.Registry{}
	debug.SetMemoryLimit(int64(d.config.Limits.Memory))
	debug.SetGCPercent(garbage(d.config.Kafka != nil))
	for _, w := range d.config.Warnings() {
		d.log.Warn(w)
	}
}

// garbage is how much of it may lie in memory, in percent of what lives. That is small,
// and what is new is smaller: memory is worth more than the collector's time. But for
// Kafka, whose client keeps its buffers in pools, which each collection empties: with 50
// a snapshot of a million rows takes 1.37 s of the processor, with 100 it is 1.29 s.
func garbage(kafka bool) int {
	if kafka {
		return 100
	}
	return 50
}

func (d *daemon) own(ctx context.Context) (err error) {
	d.dir, err = datadir.Take(ctx, d.config.DataDir, d.flags.verb, 0)
	if pipeline.CodeOf(err) == datadir.CodeTaken && d.flags.patience > 0 {
		d.log.Info("the data directory is in use; waiting for its process to end", "data_dir", d.config.DataDir, "holder", datadir.HolderOf(d.config.DataDir).String(), "patience", d.flags.patience.String())
		d.dir, err = datadir.Take(ctx, d.config.DataDir, d.flags.verb, d.flags.patience)
	}
	return err
}

func (d *daemon) openLog(ctx context.Context) error {
	return d.persist(ctx, "open the log", func(ctx context.Context) (err error) {
		d.topics, err = storage.OpenLog(ctx, d.config, false, d.log, d.logEvents())
		return err
	})
}

func (d *daemon) openRegistry(ctx context.Context) error {
	return d.persist(ctx, "open the registry", func(ctx context.Context) (err error) {
		d.registry, err = storage.OpenRegistry(ctx, d.config, d.topics, d.registryEvents())
		return err
	})
}

// persist repeats what fails because another server is away: a refusing server
// never ends plain run, and the order of starting does not matter.
func (d *daemon) persist(ctx context.Context, what string, try func(context.Context) error) error {
	c := supervise.Component{Run: try, Backoff: supervise.Backoff{Min: 500 * time.Millisecond, Max: 30 * time.Second}}
	c.FailFast = d.flags.failFast || d.flags.untilCaughtUp
	var final error
	c.Run = func(ctx context.Context) error {
		err := try(ctx)
		if passing := d.passing(err); err == nil || passing && !c.FailFast {
			return err
		} else if passing {
			err = exit.Environment(err)
		}
		final = fmt.Errorf("%s: %w", what, err)
		return nil
	}
	c.Events.Failed = func(err error, wait time.Duration) {
		p := monitor.ProblemOf(err, time.Now())
		if d.manager != nil {
			d.manager.Status("waits to " + what + " [" + string(p.Code) + "]")
		}
		d.log.Warn(what+": not possible yet, and tried again", "error", p.Text, "code", string(p.Code), "mend", p.Mend, "retry_in", wait.Round(time.Millisecond).String())
	}
	if err := c.Supervise(ctx); err != nil {
		return err
	}
	if final == nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return final
}

// passing reports whether err may mend itself. A cluster that is just starting
// refuses in many ways, and none of them is final.
func (d *daemon) passing(err error) bool {
	code := pipeline.CodeOf(err)
	return codes.Passing(code) || code == "" && d.config.Kafka != nil
}

// logEvents are told what happens inside the embedded log. One that cannot go on
// ends the daemon: what was committed is on the disk.
func (d *daemon) logEvents() storage.Events {
	return storage.Events{Kafka: kafka.Events{Certificate: d.sawCertificate, Finding: d.found, Stuck: d.waitsForStuck, Ended: d.endedByHand}, Embedded: embedded.Events{
		Full: func(full bool) {
			d.full.Store(full)
			if full {
				d.log.Error("the disk of the embedded log is full; capture pauses", "code", string(codeLogFull), "data_dir", d.config.DataDir)
			} else {
				d.log.Info("the embedded log has room again; capture goes on")
			}
		},
		Failed:  func(err error) { d.fail(fmt.Errorf("the embedded log cannot go on: %w", err)) },
		Trouble: func(text string) { d.log.Warn("embedded log: " + text) },
	}}
}

// found logs once what is not as the file says and stops nothing.
func (d *daemon) found(r *pipeline.Refusal) {
	if p := monitor.ProblemOf(r, time.Now()); d.findings.Add(r, p.At) {
		d.log.Warn("not as the file says", "what", p.Text, "code", string(p.Code), "mend", p.Mend)
	}
}

// registryEvents are told what becomes of requests to a registry of others.
func (d *daemon) registryEvents() registry.Events {
	return registry.Events{
		Asked: d.schemas.Asked,
		Certificate: func(of string, end time.Time) {
			d.certificates.Saw(monitor.Certificate{Edge: "registry", Of: of, End: end}, time.Now())
		},
	}
}

func (d *daemon) sawCertificate(c kafka.Certificate) {
	d.certificates.Saw(monitor.Certificate{Edge: "kafka", Of: c.Of, End: c.End}, time.Now())
}

// warnOfCertificate says that a certificate ends soon, while there is time (K28).
func (d *daemon) warnOfCertificate(c monitor.Certificate, left time.Duration) {
	d.log.Warn("a certificate ends soon; renew it: the new file counts from the next connection on", "edge", c.Edge, "of", c.Of,
		"end", c.End.Format(time.RFC3339), "left", left.Round(time.Minute).String())
}

func (d *daemon) openSources(context.Context) (err error) {
	d.captures, err = captures.Open(captures.Config{File: d.config, Topics: d.topics, Registry: d.registry, Control: d.control, Log: d.log, Version: d.build.Version,
		UntilCaughtUp: d.flags.untilCaughtUp, FailFast: d.flags.failFast, Fail: d.fail, Remind: d.certificates.Remind})
	if err != nil {
		return err
	}
	for _, c := range d.captures.All() {
		d.monitors = append(d.monitors, c.Monitor)
	}
	d.watch = d.newWatch()
	d.reads = d.newReads()
	return nil
}

func (d *daemon) listenAll(ctx context.Context) error {
	d.verifier = d.newVerifier()
	faces := d.handlers()
	socket, err := api.ListenSocket(datadir.SocketPath(d.config.DataDir))
	if err != nil {
		return err
	}
	d.servers = append(d.servers, api.Serve(socket, faces.Socket(), d.log))
	if err := d.listenOn(ctx, "http", d.config.Serve.HTTP, faces.HTTP(), d.config.Serve.TLS); err != nil {
		return err
	}
	if err := d.listenOn(ctx, "health", d.config.Serve.Health, faces.Health(), nil); err != nil {
		return err
	}
	if err := d.listenRegistry(ctx, faces); err != nil {
		return err
	}
	return d.listenKafka(ctx)
}

func (d *daemon) handlers() api.Handlers {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(&monitor.Collector{Sources: d.monitors, Version: d.build.Version, LogFull: d.full.Load,
		Disk: d.watch.disk, Readers: d.watch.readers, Certificates: d.certificates, Kafka: d.kafkaStats,
		Cluster: d.topics.Cluster, Stucks: d.watch.stuck, Registry: d.schemas, Views: d.views.Reports(), Meters: d.views.Meters(),
		Sinks: d.sinks.Reports(), SinkMeters: d.sinks.Meters()},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return api.Handlers{Daemon: d, Metrics: promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}),
		Token: d.config.Serve.Token.Reveal, Requests: d.config.Limits.Requests, AnyHost: d.config.Serve.BehindProxy,
		Views: d.shown, Reads: d.reads, Indexes: d.sinks.Indexes(), Streams: d.config.Limits.Streams, Commands: d.sinks.Commands(), Tables: d.tableCommands(), Sources: sourceCommands{d}}
}

func (d *daemon) listenOn(ctx context.Context, name, address string, h http.Handler, certificate *configs.ServeTLS) error {
	if address == "" || address == configs.Off {
		return nil
	}
	l, err := api.Listen(ctx, name, address, 0)
	if pipeline.CodeOf(err) == api.CodePortTaken && d.flags.patience > 0 {
		d.log.Info("an address is in use; waiting for it to be free", "name", name, "address", address, "patience", d.flags.patience.String())
		l, err = api.Listen(ctx, name, address, d.flags.patience)
	}
	if err != nil {
		return err
	}
	scheme := "http://"
	if certificate != nil {
		if l, err = api.TLS(l, certificate.Cert, certificate.Key); err != nil {
			return err
		}
		scheme = "https://"
	}
	d.listen = append(d.listen, api.Address{Name: name, Address: scheme + l.Addr().String()})
	d.servers = append(d.servers, api.Serve(l, h, d.log))
	return nil
}

func (d *daemon) start(ctx context.Context) {
	d.log.Info("started", "deployment", d.config.Name, "version", d.build.Version, "pid", os.Getpid(),
		"log", d.topics.Kind, "data_dir", d.config.DataDir, "sources", len(d.monitors))
	for _, l := range d.listen {
		d.log.Info("listening", "name", l.Name, "address", l.Address)
	}
	d.captures.Start(ctx)
	d.views.Start(ctx)
	d.loadIndexes(ctx)
	d.sinks.Start(ctx)
	ctx, d.rest = context.WithCancel(ctx)
	d.tasks.Go(func() { d.watch.run(ctx) })
	d.tasks.Go(func() { d.watchControl(ctx) })
	if d.manager != nil {
		d.manager.Ready()
		d.tasks.Go(func() { d.manager.Keep(ctx, func() error { return d.lives(time.Now()) }, d.line) })
	}
}

// wait returns when ctx ends (nil), when every source is done (nil), or with the
// first failure that ends the daemon.
func (d *daemon) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.captures.Wait()
		d.views.CaughtUp(ctx)
		d.sinks.CaughtUp(ctx)
	}()
	select {
	case <-ctx.Done():
		d.log.Info("stopping", "cause", context.Cause(ctx).Error())
		return nil
	case err := <-d.failed:
		return err
	case <-done:
		select {
		case err := <-d.failed:
			return err
		default:
			return nil
		}
	}
}

// fail ends the daemon with err; only the first counts.
func (d *daemon) fail(err error) {
	select {
	case d.failed <- err:
	default:
	}
}

// drain lets every component commit and end, within limits.drain_timeout (O01).
func (d *daemon) drain() {
	if d.manager != nil {
		d.manager.Stopping()
	}
	d.rest()
	d.captures.Cancel()
	d.views.Cancel()
	d.sinks.Cancel()
	d.captures.Wait()
	d.sinks.Wait()
	d.tasks.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, s := range d.servers {
		s.Stop(ctx)
	}
	d.servers = nil
	d.reads.Close()
	d.views.Wait() // behind what reads them
	d.log.Info("stopped")
}

// close frees what boot made, in the reverse order. It may follow a boot that
// failed half-way.
func (d *daemon) close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, s := range d.servers {
		s.Stop(ctx)
	}
	d.views.Close()
	if d.topics != nil {
		if err := d.topics.Close(); err != nil && !errors.Is(err, log.ErrClosed) {
			d.log.Error("the log did not close well", "error", err)
		}
	}
	if d.dir != nil {
		_ = os.Remove(datadir.SocketPath(d.config.DataDir))
		_ = d.dir.Close()
	}
}
