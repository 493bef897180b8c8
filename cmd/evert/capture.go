package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/evertdb/evert/cmd/evert/codes"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/gate"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/cmd/evert/supervise"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// probeEvery is how often the server is asked how far it is.
const probeEvery = 5 * time.Second

// capturing is one source's way into the log, and what watches over it. One
// goroutine, live, owns the component and the prober; others ask it.
type capturing struct {
	daemon    *daemon
	name      string
	kind      databases.Connector
	database  databases.Database
	positions databases.Source // never opened: it compares positions
	monitor   *monitor.Source
	log       *slog.Logger
	cancel    context.CancelFunc
	jobs      chan job
	finished  chan struct{}                // closed when nothing of it runs any more
	stopped   map[string]*pipeline.Refusal // by topic, tables of this stage that have stopped; owned by the component
	open      bool                         // sink and source are: what stops from now on, stops in this run; owned by the component
	ends      *pipeline.Refusal            // why the stage is to end behind the next commit; owned by the component
	commits   uint64                       // when it last failed; owned by the component
	tables    *tabling                     // of the stage that runs; guarded by mu
	undrain   bool                         // it goes on where it was drained; owned by the component
	target    string                       // where to stop, with --until-caught-up; owned by the component
	probes    beat                         // of the prober
	gate      *gate.Gate                   // by which a comparison stops the source at a place

	mu      sync.Mutex
	present databases.Source  // of the stage that runs; nil between two
	drains  databases.Drainer // the same, if it can be drained
	waiting int               // readers that wait for the source to move on
	aimed   bool              // it has a target
}

// A job is done while the source rests.
type job struct {
	do   func()
	done chan struct{}
}

func (d *daemon) newCapture(name string) (*capturing, error) {
	c := &capturing{daemon: d, name: name, log: d.log.With("source", name), cancel: func() {}, jobs: make(chan job), finished: make(chan struct{}), gate: gate.New()}
	kind, database, err := databases.Open(databases.Place{Config: d.config, Name: name, Log: c.log})
	if err != nil {
		return nil, err
	}
	c.kind, c.database, c.positions = kind, database, database.Source()
	c.monitor = monitor.NewSource(monitor.Config{Name: name, Kind: kind.Kind, Facts: c.facts})
	return c, nil
}

// start runs the component and the prober until ctx ends, cancel is called, or
// the component is done.
func (c *capturing) start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	go c.live(ctx)
}

// wait returns when all has ended that start began.
func (c *capturing) wait() { <-c.finished }

// live runs the source, and rests for the jobs that need it to.
func (c *capturing) live(ctx context.Context) {
	defer close(c.finished)
	for {
		j := c.work(ctx)
		if j == nil {
			return
		}
		j.do()
		close(j.done)
	}
}

// work runs component and prober. It returns when both have ended: because of a
// job, or with nil for good.
func (c *capturing) work(ctx context.Context) *job {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var prober sync.WaitGroup
	prober.Go(func() { c.probe(ctx) })
	defer prober.Wait()
	defer cancel() // before the wait
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.component().Supervise(ctx); err != nil {
			c.daemon.fail(err)
		}
	}()
	select {
	case <-done:
		return nil
	case j := <-c.jobs:
		cancel()
		<-done
		return &j
	}
}

// whileResting does something while the source does not run, and returns when it
// was done.
func (c *capturing) whileResting(ctx context.Context, do func()) error {
	j := job{do, make(chan struct{})}
	select {
	case c.jobs <- j:
		<-j.done
	case <-c.finished:
		do()
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (c *capturing) component() *supervise.Component {
	reconnect := c.daemon.config.Sources[c.name].ReconnectMax
	return &supervise.Component{
		Run:      c.run,
		Backoff:  supervise.Backoff{Min: reconnect / 100, Max: reconnect},
		Person:   codes.NeedsPerson,
		FailFast: c.daemon.flags.failFast || c.daemon.flags.untilCaughtUp,

		Progressed: c.progressed,

		Events: supervise.Events{Starting: c.monitor.Starting, Failed: c.failed},
	}
}

// progressed reports whether anything was committed since it was last called.
func (c *capturing) progressed() bool {
	before := c.commits
	c.commits = c.monitor.Status().Totals.Commits
	return c.commits > before
}

func (c *capturing) failed(err error, wait time.Duration) {
	person := codes.NeedsPerson(err)
	c.monitor.Failed(err, wait, person)
	level := slog.LevelWarn
	if person {
		level = slog.LevelError
	}
	p := monitor.ProblemOf(err, time.Now())
	c.log.Log(context.Background(), level, "the source does not get on and will be tried again", "error", p.Text, "code", string(p.Code),
		"mend", p.Mend, "position", c.monitor.Position().At.String(), "retry_in", wait.Round(time.Millisecond).String())
}

// errCaughtUp ends a stage that has come to where it was told to stop.
var errCaughtUp = errors.New("caught up")

// run runs a stage while this daemon owns the source's frontier, and stands by
// while another does (O04).
func (c *capturing) run(ctx context.Context) error {
	group, frontier := ownership(c.daemon.config, c.name)
	return log.Own(ctx, c.daemon.topics, group, frontier, c.monitor.StandingBy, c.stage)
}

// ownership gives the group and the topic by which a source is owned.
func ownership(c *configs.Config, source string) (group, frontier string) {
	return "evert." + c.Name + ".capture." + source, log.FrontierTopic(c.Name, source)
}

// stage makes a stage and runs it until it fails, ctx ends, or it has caught up.
func (c *capturing) stage(ctx context.Context) error {
	c.monitor.Owning()
	c.stopped, c.open, c.ends = map[string]*pipeline.Refusal{}, false, nil
	if err := c.aim(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	bare := c.database.Source()
	defer c.drainable(bare)()
	src := c.behindGate(bare)
	c.put(src)
	defer c.put(nil)
	chain, err := steps.OfSource(c.daemon.config, c.name)
	if err != nil {
		return err
	}
	tables, err := c.newTabling(bare)
	if err != nil {
		return err
	}
	if c.target != "" {
		tables.settled = func() { c.rearrive(src, stop) }
	}
	defer c.tabled(ctx, tables)()
	stage := &pipeline.Stage{
		Source: refusing{src}, Sink: capture.New(c.sink(steps.Rereader(src.Reread, chain), tables, stop)), Limits: c.limits(), Events: c.events(src, stop),
	}
	stage.Transforms = []pipeline.Transform{tables}
	if chain != nil {
		stage.Transforms = append(stage.Transforms, chain)
	}
	err = stage.Run(ctx)
	if errors.Is(err, errCaughtUp) && len(c.stopped) > 0 {
		return c.stopped[slices.Sorted(maps.Keys(c.stopped))[0]]
	}
	if errors.Is(err, errCaughtUp) {
		c.monitor.Done()
		c.log.Info("caught up", "position", c.monitor.Position().At.String())
		return nil
	}
	return err
}

// aim asks once where to stop, if we are to stop at all.
func (c *capturing) aim(ctx context.Context) (err error) {
	if !c.daemon.flags.untilCaughtUp || c.target != "" {
		return nil
	}
	if c.target, err = c.database.End(ctx); err != nil {
		return exit.Environment(fmt.Errorf("source %s: %w", c.name, err))
	}
	return nil
}

// refusing marks the errors of a server, for the exit code.
type refusing struct{ databases.Source }

func (r refusing) Open(ctx context.Context, from pipeline.Resume) error {
	return mark(r.Source.Open(ctx, from))
}

func (r refusing) Next(ctx context.Context) (pipeline.Batch, error) {
	b, err := r.Source.Next(ctx)
	if pipeline.CodeOf(err) != "" {
		err = mark(err)
	}
	return b, err
}

func mark(err error) error {
	if err == nil {
		return nil
	}
	return exit.Environment(err)
}

func (c *capturing) sink(reread func(context.Context, *pipeline.Change) (schema.Row, error), tables *tabling, stop context.CancelCauseFunc) capture.Config {
	s := c.daemon.config.Sources[c.name]
	return capture.Config{
		Deployment: c.daemon.config.Name, Source: c.name, Connector: c.kind.Names, Prefix: s.TopicPrefix, Version: c.daemon.build.Version,
		Log: c.daemon.topics, Registry: c.daemon.registry, Envelope: envelope(s.Envelope), Handling: handling(s.Handling), Canonical: s.Partitioner == configs.PartitionerCanonical,
		Topic: c.topic, Holding: c.daemon.topics.Holding, Reread: reread, Copies: tables.copier != nil,
		RecordBytes: int(c.daemon.config.Limits.RecordBytes), ValueBytes: int(c.daemon.config.Limits.ValueBytes),
		Events: capture.Events{
			Filled: func(t *schema.Table, from string, n int) {
				c.log.Debug("filled unknown values", "table", t.String(), "from", from, "values", n)
			},
			Voided: func(topic string, n int) {
				c.log.Info("wrote tombstones for rows that are gone", "topic", topic, "tombstones", n)
			},
			Oversize: c.oversize,
			Stopped:  c.stopsFor(),
			Table:    c.tableIs,
			Part: func(at pipeline.Resume, part int) {
				c.log.Info("committed a part of a large transaction", "position", at.At.String(), "rows", at.Rows, "part", part)
			},
		},
	}
}

// handling gives a source's settings in the words of the codec.
func handling(h configs.Handling) avro.Handling {
	return avro.Handling{
		Decimal:  map[string]avro.Decimal{"double": avro.DecimalDouble, "string": avro.DecimalString}[h.Decimal],
		Interval: map[string]avro.Interval{"numeric": avro.IntervalNumeric}[h.Interval],
		HStore:   map[string]avro.HStore{"map": avro.HStoreMap}[h.HStore],
		Binary:   map[string]avro.Binary{"base64": avro.Base64, "base64-url-safe": avro.Base64URL, "hex": avro.BinaryHex}[h.Binary],
		Time: map[string]avro.Time{
			"adaptive_time_microseconds": avro.AdaptiveMicroseconds, "microseconds": avro.Microseconds, "nanoseconds": avro.Nanoseconds,
			"connect": avro.Connect, "isostring": avro.ISOString,
		}[h.Time],
	}
}

func envelope(e configs.Envelope) avro.Envelope {
	if e == configs.EnvelopeRow {
		return avro.Row
	}
	return avro.Debezium
}

func oversizePolicy(word string) capture.Policy {
	for _, p := range []capture.Policy{capture.Truncate, capture.Offload, capture.DeadLetter} {
		if p.String() == word {
			return p
		}
	}
	return capture.StopTable
}

// oversize logs a row that was too large, without anything of the row.
func (c *capturing) oversize(o capture.Oversize) {
	c.monitor.Oversize(o.Table.String())
	c.log.Warn("a row was too large for its topic", "table", o.Table.String(), "topic", o.Topic, "key_hash", fmt.Sprintf("%08x", o.KeyHash),
		"bytes", o.Bytes, "limit", o.Limit, "on_oversize", o.Policy.String())
}

// topic says what the file says of one table's topic.
func (c *capturing) topic(t *schema.Table) capture.Topic {
	return tableTopicOf(c.daemon.config, c.name, databases.TableName{Schema: t.Schema, Name: t.Name})
}

func tableTopicOf(config *configs.Config, source string, t databases.TableName) capture.Topic {
	settings := config.Sources[source].For(t.Schema, t.Name)
	own := settings.Topic
	topic := capture.Topic{Partitions: own.Partitions, Settings: own.Config, OnOversize: oversizePolicy(settings.OnOversize),
		StopSource: settings.OnTableError == configs.StopSource, KeepRows: settings.OnTruncate == configs.StopTable}
	if n := int(config.Limits.RecordBytes); n > capture.DefaultRecordBytes {
		topic.MaxBytes = n
	}
	if topic.Partitions == 0 && config.Kafka != nil {
		topic.Partitions = config.Kafka.Topics.Partitions
	}
	return topic
}

func (c *capturing) limits() pipeline.Limits {
	s, l := c.daemon.config.Sources[c.name], pipeline.DefaultLimits()
	l.Interval, l.Rows, l.Bytes = s.CommitInterval, s.MaxCommitRows, int(s.MaxCommitBytes)
	l.Quiet = s.CommitInterval / 25
	l.Copying = max(l.Copying, s.CommitInterval)
	l.Drain = c.daemon.config.Limits.DrainTimeout
	if k := c.daemon.config.Kafka; k != nil {
		l.Timeout = k.TransactionTimeout / 2
	}
	return l
}

// events are the monitor's, with the words of the log and the end of a stage
// that has caught up.
func (c *capturing) events(src databases.Source, stop context.CancelCauseFunc) pipeline.Events {
	e := c.monitor.Events()
	opened, committed := e.Opened, e.Committed
	copied := false
	e.Opened = func(from pipeline.Resume) {
		opened(from)
		c.gate.Begin(from)
		copied = !from.At.IsZero()
		c.opened(from)
		if c.target != "" && from.Whole() && len(c.stopped) == 0 {
			c.arrive(src, from, stop) // nothing may have happened since
		}
	}
	written, tables := e.Written, c.commanded()
	e.Written = func(b pipeline.Batch) {
		written(b)
		tables.wrote()
	}
	e.Committed = func(done pipeline.Committed) {
		committed(done)
		tables.committed()
		if c.ends != nil {
			stop(c.ends)
		}
		c.gate.Committed(done.At)
		if !copied && done.At.Whole() {
			copied = true
			c.log.Info("every table is in its topic", "position", done.At.At.String(), "rows", c.monitor.Status().Totals.Rows)
		}
		if c.target != "" && done.At.Whole() {
			c.arrive(src, done.At, stop)
		}
	}
	return e
}

func (c *capturing) opened(from pipeline.Resume) {
	c.open, c.undrain = true, false
	if !from.At.IsZero() {
		c.log.Info("streaming", "position", from.At.String())
		return
	}
	c.log.Info("copying the tables")
}

// arrive ends the stage once its target is reached.
func (c *capturing) arrive(src databases.Source, at pipeline.Resume, stop context.CancelCauseFunc) {
	reached, err := src.Reached(at.At.Native, c.target)
	if reached && c.commanded().isBusy() {
		return // a table is copied again
	}
	if err != nil {
		stop(err)
	} else if reached {
		stop(errCaughtUp)
	}
}

// rearrive ends the stage where it stands, when that is its target.
func (c *capturing) rearrive(src databases.Source, stop context.CancelCauseFunc) {
	if at := c.monitor.Position(); at.Whole() {
		c.arrive(src, at, stop)
	}
}

func (c *capturing) put(s databases.Source) {
	defer c.Urge()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.present, c.aimed = s, c.target != ""
}

// behindGate puts the gate before a source whose place can be told.
func (c *capturing) behindGate(s databases.Source) databases.Source {
	if _, ok := c.database.(databases.Pinner); ok {
		return c.gate.Guard(s)
	}
	return s
}

// Urge tells the present source who waits for it: the end of the run, readers of
// views, a comparison.
func (c *capturing) Urge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.present == nil {
		return
	}
	held := c.gate.IsHeld()
	c.present.Separate(held)
	c.present.Hasten(held || c.waiting > 0 || c.aimed)
}

// Reached implements query.Clock.
func (c *capturing) Reached(have, want string) (bool, error) { return c.positions.Reached(have, want) }

// Hasten implements query.Clock.
func (c *capturing) Hasten(waiting bool) {
	c.mu.Lock()
	if waiting {
		c.waiting++
	} else {
		c.waiting--
	}
	c.mu.Unlock()
	c.Urge()
}

// facts are those of the source that runs, if one does.
func (c *capturing) facts() (monitor.Facts, bool) {
	c.mu.Lock()
	present := c.present
	c.mu.Unlock()
	if present == nil {
		return monitor.Facts{}, false
	}
	return present.Facts(), true
}

// Name is the source's. With Database, Ready, Gate and Urge it implements verify.Capture.
func (c *capturing) Name() string { return c.name }

// Database is the source's, opened to be asked.
func (c *capturing) Database() databases.Database { return c.database }

// Ready reports whether the source runs, and its tables are copied.
func (c *capturing) Ready() bool { return c.monitor.Status().Ready }

// Gate is what stops the source at a place.
func (c *capturing) Gate() *gate.Gate { return c.gate }
