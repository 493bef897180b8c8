package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/evertdb/evert/cmd/evert/codes"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/cmd/evert/supervise"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/spill"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/transform"
	"github.com/evertdb/evert/pipeline/view"
)

// A Sink is one sink and what watches over it. One goroutine owns the
// component; others ask.
type Sink struct {
	sinks    *Sinks
	Name     string
	Config   *configs.Sink
	place    outlets.Place
	Outlet   outlets.Outlet
	Delivery *deliver.Delivery
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

func (d *Sinks) newSink(name string) (*Sink, error) {
	config := d.File.Sinks[name]
	kind, connector, err := outlets.KindOf(outlets.Connectors(), name, config)
	if err != nil {
		return nil, err
	}
	s := &Sink{sinks: d, Name: name, Config: config, log: d.Log.With("sink", name), cancel: func() {}, finished: make(chan struct{}),
		meter: monitor.NewSink(name, kind), moved: make(chan struct{}), jobs: make(chan *restJob)}
	s.queue = s.newQueue()
	s.place = outlets.PlaceOf(d.File, name, s.log, d.Topics, d.Registry)
	s.place.Rejects = s.rejects()
	if s.Outlet, err = connector.Open(s.place); err != nil {
		return nil, fmt.Errorf("sink %s: %w", name, err)
	}
	old, err := s.oldRows()
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", name, err)
	}
	of, owner := outlets.OwnerOf(config)
	s.Delivery = deliver.New(deliver.Config{
		Deployment: d.File.Name, Name: name, Of: of, Owner: owner, Topics: s.place.Topics, Definition: outlets.Definition(config, connector, s.place.Topics),
		Atomic: connector.Atomic, Log: d.Topics, Registry: d.Registry, Target: s.Outlet.Target, Transforms: s.transforms,
		Rejects: s.place.Rejects, OldRows: old, Limits: s.limits(), Events: s.events(), Holding: d.Topics.Holding, Positions: positionsOf(config), Compare: compareOf(config),
	})
	return s, nil
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

// compareOf tells how cuts of a view stand to each other; nil for a table.
func compareOf(s *configs.Sink) func(has, had *log.Frontier) (deliver.Order, error) {
	if _, _, ok := s.Tables(); ok {
		return nil
	}
	return func(has, had *log.Frontier) (deliver.Order, error) {
		follows, reaches, err := view.Compare(has, had)
		switch {
		case follows:
			return deliver.Follows, err
		case reaches:
			return deliver.Beside, err
		}
		return deliver.Below, err
	}
}

// rejects takes what the system does not take.
func (s *Sink) rejects() deliver.Rejects { return countedRejects{s.queue, s.meter} }

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
func (s *Sink) transforms(rejects deliver.Rejects) ([]pipeline.Transform, error) {
	specs, err := steps.Specs(s.sinks.File, s.Config.Transforms)
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
func (s *Sink) oldRows() (*deliver.OldRows, error) {
	if !s.Config.NeedsOldRows() {
		return nil, nil
	}
	c := s.sinks.File
	pool, err := spill.Open(datadir.SpillPath(c.DataDir, "sink-"+s.Name+".tmp"), spill.Options{Memory: oldSortBytes, Disk: int64(c.Limits.SpillBytes)})
	if err != nil {
		return nil, err
	}
	return &deliver.OldRows{
		Dir: filepath.Join(s.place.Dir, "rows"), Sorter: pool.NewSorter, Most: int64(c.Limits.SinkRowsBytes), Repeats: !s.Config.HoldsRows(),
		Options: store.Options{Shared: store.NewShared(oldCacheBytes, oldFilesOpened), MemTable: oldTableBytes, EpochBytes: oldEpochBytes},
	}, nil
}

func (s *Sink) limits() deliver.Limits {
	c := s.sinks.File
	return deliver.Limits{Interval: s.Config.CommitInterval, Rows: s.Config.MaxCommitRows, Bytes: int(s.Config.MaxCommitBytes), Drain: c.Limits.DrainTimeout}
}

// start runs the component until ctx ends or cancel is called.
func (s *Sink) start(ctx context.Context) {
	ctx, s.cancel = context.WithCancel(ctx)
	go func() {
		defer close(s.finished)
		if err := s.component().Supervise(ctx); err != nil {
			s.sinks.Fail(err)
		}
		s.Delivery.Close()
		if err := s.queue.Close(); err != nil {
			s.log.Error("the topic of dead letters did not close well", "error", err)
		}
		if c, ok := s.Outlet.(interface{ Close() error }); ok {
			if err := c.Close(); err != nil {
				s.log.Error("the sink's system did not close well", "error", err)
			}
		}
	}()
}

func (s *Sink) wait() { <-s.finished }

// sinkRetry is the first pause before another try.
const sinkRetry = 250 * time.Millisecond

func (s *Sink) component() *supervise.Component {
	commits := uint64(0)
	return &supervise.Component{
		Run: s.run, Backoff: supervise.Backoff{Min: min(sinkRetry, s.Config.RetryMax), Max: s.Config.RetryMax}, Person: codes.NeedsPerson,
		Progressed: func() bool {
			before := commits
			commits = s.Delivery.Status().Totals.Commits
			return commits > before
		},
		FailFast: s.sinks.FailFast,
		Events:   supervise.Events{Starting: func(int) { s.meter.Starting() }, Failed: s.failed},
	}
}

// run delivers while this daemon owns the sink, and stands by while another does.
func (s *Sink) run(ctx context.Context) error {
	name := s.sinks.File.Name
	err := log.Own(ctx, s.sinks.Topics, deliver.Group(name, s.Name), deliver.Topic(name, s.Name), s.meter.StandingBy, func(ctx context.Context) error {
		s.meter.Owning()
		return s.owned(ctx)
	})
	return err
}

// change changes what others see, and wakes those who wait for that.
func (s *Sink) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.moved)
	s.moved = make(chan struct{})
}

func (s *Sink) failed(err error, wait time.Duration) {
	s.change(func() { s.opened = false })
	if errors.Is(err, log.ErrLost) {
		s.log.Info("the sink went to another daemon")
		return
	}
	person := codes.NeedsPerson(err)
	p := monitor.ProblemOf(err, time.Now())
	s.meter.Failed(p, wait, person)
	s.change(func() {
		s.person, s.problem = person, &pipeline.Refusal{Code: p.Code, Where: "sink " + s.Name, What: p.Text, Mend: p.Mend}
	})
	level := slog.LevelWarn
	if person {
		level = slog.LevelError
	}
	s.log.Log(context.Background(), level, "the sink does not get on and will be tried again; what was delivered stays", "error", p.Text, "code", string(p.Code),
		"mend", p.Mend, "retry_in", wait.Round(time.Millisecond).String())
}
