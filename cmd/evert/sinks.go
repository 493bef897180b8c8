package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/evertdb/evert/cmd/evert/codes"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/cmd/evert/supervise"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
)

// sinking are the sinks of a daemon.
type sinking struct {
	byName map[string]*delivering
	all    []*delivering // by name
}

// openSinks makes the sinks of the file; nothing runs yet.
func (d *daemon) openSinks(context.Context) error {
	if len(d.config.Sinks) == 0 {
		return nil
	}
	d.sinks = &sinking{byName: map[string]*delivering{}}
	for _, name := range slices.Sorted(maps.Keys(d.config.Sinks)) {
		s, err := d.newDelivering(name)
		if err != nil {
			return err
		}
		d.sinks.byName[name] = s
		d.sinks.all = append(d.sinks.all, s)
	}
	return nil
}

// The methods may be called with a nil s: there are no sinks.

func (s *sinking) each(f func(*delivering)) {
	if s != nil {
		for _, one := range s.all {
			f(one)
		}
	}
}

func (s *sinking) start(ctx context.Context) { s.each(func(d *delivering) { d.start(ctx) }) }
func (s *sinking) cancel()                   { s.each(func(d *delivering) { d.cancel() }) }
func (s *sinking) wait()                     { s.each((*delivering).wait) }

// caughtUp waits until every sink's system has what was committed, or the sink has
// stopped.
func (s *sinking) caughtUp(ctx context.Context) {
	s.each(func(d *delivering) { d.caughtUp(ctx) })
}

func (s *sinking) status() (all []monitor.SinkStatus) {
	s.each(func(d *delivering) { all = append(all, d.status()) })
	return all
}

// reports and meters are for the metrics.
func (s *sinking) reports() func() []monitor.SinkStatus {
	if s == nil {
		return nil
	}
	return s.status
}

func (s *sinking) meters() (all []*monitor.Sink) {
	s.each(func(d *delivering) { all = append(all, d.meter) })
	return all
}

// delivering is one sink and what watches over it. One goroutine owns the
// component; others ask.
type delivering struct {
	daemon   *daemon
	name     string
	config   *configs.Sink
	place    outlets.Place
	outlet   outlets.Outlet
	delivery *deliver.Delivery
	meter    *monitor.Sink
	log      *slog.Logger
	cancel   context.CancelFunc
	finished chan struct{}
	queue    *deadletter.Queue // of what its system does not take
	jobs     chan *restJob     // to be done while it rests
	pending  *restJob          // one that was taken; owned by the component

	mu       sync.Mutex
	halt     halting           // the record that stopped it last
	unparked chan struct{}     // closed when it may go on from there
	problem  *pipeline.Refusal // why it does not run; nil while it does
	person   bool              // until somebody mends that
	opened   bool              // target and source are open
	moved    chan struct{}     // closed when any of it changes
}

func (d *daemon) newDelivering(name string) (*delivering, error) {
	config := d.config.Sinks[name]
	kind, connector, err := outlets.KindOf(outlets.Connectors(), name, config)
	if err != nil {
		return nil, err
	}
	s := &delivering{daemon: d, name: name, config: config, log: d.log.With("sink", name), cancel: func() {}, finished: make(chan struct{}),
		meter: monitor.NewSink(name, kind), moved: make(chan struct{}), jobs: make(chan *restJob)}
	s.queue = s.newQueue()
	s.place = placeOfSink(d.config, name, s.log, d.topics, d.registry)
	s.place.Rejects = s.rejects()
	if s.outlet, err = connector.Open(s.place); err != nil {
		return nil, fmt.Errorf("sink %s: %w", name, err)
	}
	old, err := s.oldRows()
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", name, err)
	}
	of, owner := ownerOfSink(config)
	s.delivery = deliver.New(deliver.Config{
		Deployment: d.config.Name, Name: name, Of: of, Owner: owner, Topics: s.place.Topics, Definition: definitionOf(config, connector, s.place.Topics),
		Atomic: connector.Atomic, Log: d.topics, Registry: d.registry, Target: s.outlet.Target, Transforms: s.transforms,
		Rejects: s.place.Rejects, OldRows: old, Limits: s.limits(), Events: s.events(), Holding: d.topics.Holding, Positions: positionsOf(config),
	})
	return s, nil
}

// placeOfSink is where a sink stands, but for what takes its rejected rows.
func placeOfSink(c *configs.Config, name string, logger *slog.Logger, topics log.Log, schemas registry.Registry) outlets.Place {
	p := outlets.Place{Config: c, Name: name, Topics: topicsOfSink(c, c.Sinks[name]), Dir: filepath.Join(c.DataDir, "sinks", name), Log: logger, Rejects: deliver.Stop{}}
	p.Table = func(ctx context.Context) (*schema.Table, error) {
		_, t, err := deliver.Shape(ctx, schemas, p.Topics[0])
		return t, err
	}
	p.Keeper = func() deliver.Keeper { return deliver.NewKeeper(topics, c.Name, name) }
	return p
}

// topicsOfSink names the topics of the view or tables that a sink delivers.
func topicsOfSink(c *configs.Config, s *configs.Sink) (topics []string) {
	source, tables, ok := s.Tables()
	if !ok {
		return []string{view.Topic(c.Name, s.From[0])}
	}
	for _, t := range tables {
		schemaName, table, _ := t.Exact()
		topics = append(topics, views.TableTopic(c, source, schemaName, table))
	}
	return topics
}

// ownerOfSink says whose frontier a sink goes by.
func ownerOfSink(s *configs.Sink) (of, owner string) {
	if source, _, ok := s.Tables(); ok {
		return "source " + source, source
	}
	return "view " + s.From[0], log.ViewOwner(s.From[0])
}

// positionsOf gives where the sources of a view are at its cuts; nil for a table.
func positionsOf(s *configs.Sink) func(*log.Frontier) (map[string]string, error) {
	if _, _, ok := s.Tables(); ok {
		return nil
	}
	return func(f *log.Frontier) (map[string]string, error) {
		all, err := view.Positions(f)
		native := make(map[string]string, len(all))
		for source, at := range all {
			native[source] = at.Native
		}
		return native, err
	}
}

// definitionOf says what a sink's system is filled from and how.
func definitionOf(s *configs.Sink, c outlets.Connector, topics []string) string {
	transforms, err := json.Marshal(s.Transforms)
	if err != nil {
		panic(err) // texts and numbers always have a JSON form
	}
	sum := sha256.Sum256([]byte(strings.Join(topics, "\x00") + "\x00" + c.Shape(s) + "\x00" + string(transforms) + steps.MaskKeys(s.Transforms)))
	return hex.EncodeToString(sum[:16])
}

// rejects takes what the system does not take.
func (s *delivering) rejects() deliver.Rejects { return countedRejects{s.queue, s.meter} }

// countedRejects counts what goes to Rejects.
type countedRejects struct {
	deliver.Rejects
	meter *monitor.Sink
}

// Reject implements deliver.Rejects.
func (c countedRejects) Reject(ctx context.Context, rejected ...deliver.Rejection) error {
	c.meter.Rejected(len(rejected))
	return c.Rejects.Reject(ctx, rejected...)
}

// transforms makes what rows have to pass.
func (s *delivering) transforms(rejects deliver.Rejects) ([]pipeline.Transform, error) {
	specs, err := steps.Specs(s.daemon.config, s.config.Transforms)
	if err != nil || len(specs) == 0 {
		return nil, err
	}
	fault := func(ctx context.Context, c *pipeline.Change, why *pipeline.Refusal) error {
		if deliver.IsTaking(c) { // it comes again
			return nil
		}
		return rejects.Reject(ctx, deliver.Rejection{Place: deliver.PlaceIn(s.place.Topics, c), Why: why})
	}
	return []pipeline.Transform{transform.New(transform.Config{Specs: specs, Fault: fault, Split: true})}, nil
}

// The memory for old rows: blocks that were read, rows of one step, and what is not
// on disk yet.
const (
	oldCacheBytes  = 8 << 20
	oldSortBytes   = 8 << 20
	oldTableBytes  = 4 << 20
	oldEpochBytes  = 8 << 20
	oldFilesOpened = 64
)

// oldRows says where the rows are kept that transforms need as they were; nil if
// none does.
func (s *delivering) oldRows() (*deliver.OldRows, error) {
	if !s.config.NeedsOldRows() {
		return nil, nil
	}
	c := s.daemon.config
	pool, err := spill.Open(datadir.SpillPath(c.DataDir, "sink-"+s.name+".tmp"), spill.Options{Memory: oldSortBytes, Disk: int64(c.Limits.SpillBytes)})
	if err != nil {
		return nil, err
	}
	return &deliver.OldRows{
		Dir: filepath.Join(s.place.Dir, "rows"), Sorter: pool.NewSorter, Most: int64(c.Limits.SinkRowsBytes),
		Options: store.Options{Shared: store.NewShared(oldCacheBytes, oldFilesOpened), MemTable: oldTableBytes, EpochBytes: oldEpochBytes},
	}, nil
}

func (s *delivering) limits() deliver.Limits {
	c := s.daemon.config
	return deliver.Limits{Interval: s.config.CommitInterval, Rows: s.config.MaxCommitRows, Bytes: int(s.config.MaxCommitBytes), Drain: c.Limits.DrainTimeout}
}

// start runs the component until ctx ends or cancel is called.
func (s *delivering) start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	go func() {
		defer close(s.finished)
		if err := s.component().Supervise(ctx); err != nil {
			s.daemon.fail(err)
		}
		s.delivery.Close()
		if err := s.queue.Close(); err != nil {
			s.log.Error("the topic of dead letters did not close well", "error", err)
		}
		if c, ok := s.outlet.(interface{ Close() error }); ok {
			if err := c.Close(); err != nil {
				s.log.Error("the sink's system did not close well", "error", err)
			}
		}
	}()
}

func (s *delivering) wait() { <-s.finished }

// sinkRetry is the first pause before another try.
const sinkRetry = 250 * time.Millisecond

func (s *delivering) component() *supervise.Component {
	commits := uint64(0)
	return &supervise.Component{
		Run: s.run, Backoff: supervise.Backoff{Min: min(sinkRetry, s.config.RetryMax), Max: s.config.RetryMax}, Person: codes.NeedsPerson,
		Progressed: func() bool {
			before := commits
			commits = s.delivery.Status().Totals.Commits
			return commits > before
		},
		FailFast: s.daemon.flags.failFast,
		Events:   supervise.Events{Starting: func(int) { s.meter.Starting() }, Failed: s.failed},
	}
}

// run delivers while this daemon owns the sink, and stands by while another does.
func (s *delivering) run(ctx context.Context) error {
	name := s.daemon.config.Name
	err := log.Own(ctx, s.daemon.topics, deliver.Group(name, s.name), deliver.Topic(name, s.name), s.meter.StandingBy, func(ctx context.Context) error {
		s.meter.Owning()
		return s.owned(ctx)
	})
	return err
}

// change changes what others see, and wakes those who wait for that.
func (s *delivering) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.moved)
	s.moved = make(chan struct{})
}

func (s *delivering) failed(err error, wait time.Duration) {
	s.change(func() { s.opened = false })
	if errors.Is(err, log.ErrLost) {
		s.log.Info("the sink went to another daemon")
		return
	}
	person := codes.NeedsPerson(err)
	p := monitor.ProblemOf(err, time.Now())
	s.meter.Failed(p, wait, person)
	s.change(func() {
		s.person, s.problem = person, &pipeline.Refusal{Code: p.Code, Where: "sink " + s.name, What: p.Text, Mend: p.Mend}
	})
	level := slog.LevelWarn
	if person {
		level = slog.LevelError
	}
	s.log.Log(context.Background(), level, "the sink does not get on and will be tried again; what was delivered stays", "error", p.Text, "code", string(p.Code),
		"mend", p.Mend, "retry_in", wait.Round(time.Millisecond).String())
}
