package views

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/supervise"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/pipeline/view/local"
	"github.com/evertdb/evert/pipeline/view/query"
)

// maintaining is one view and what watches over it. One goroutine, live, owns
// the component; others ask.
type maintaining struct {
	views    *Views
	name     string
	config   *configs.View
	log      *slog.Logger
	folder   *local.Folder
	feed     *query.Feed
	meter    *monitor.View
	cancel   context.CancelFunc
	finished chan struct{}

	mu         sync.Mutex
	task       *view.Task // nil until the query was compiled once
	hash       string     // its version
	plan       *Plan      // of that version
	engine     *local.Engine
	still      *view.Still // what was shown last, while there is no task
	reading    *local.Reading
	generation func() log.Generation
	problem    *pipeline.Refusal // why it does not run; nil while it does
	person     bool              // until somebody mends that
	moved      chan struct{}     // closed when any of it, or of the task's, changes
}

// feedKept is how long changes are held when the last follower has gone.
const feedKept = time.Minute

func (v *Views) newView(name string) *maintaining {
	m := &maintaining{views: v, name: name, config: v.File.Views[name], log: v.Log.With("view", name), cancel: func() {}, finished: make(chan struct{}),
		feed: query.NewFeed(int(v.File.Limits.StreamBytes), feedKept), moved: make(chan struct{}), meter: monitor.NewView(name)}
	m.folder = &local.Folder{
		Dir: filepath.Join(v.File.DataDir, "views", name), NewSorter: v.pool.NewSorter,
		Identity: store.Identity{Deployment: v.File.Name, View: name, Log: v.Topics.Identity()},
		Options: store.Options{Shared: v.shared, Events: store.Events{Trouble: func(text string) { m.log.Warn("state: " + text) },
			Full: func(full bool) { m.log.Warn("the disk of the view's state is full, or has room again", "full", full) }}},
		Other: func(why error) { m.log.Warn("a state that is of something else is removed", "why", why.Error()) },
	}
	return m
}

// start runs the component until ctx ends or cancel is called.
func (m *maintaining) start(ctx context.Context) {
	ctx, m.cancel = context.WithCancel(ctx)
	m.folder.Options.Ending = ctx.Done()
	go func() {
		defer close(m.finished)
		if err := m.component().Supervise(ctx); err != nil {
			m.views.Fail(err)
		}
		m.change(func() { m.problem, m.person = nil, false })
		err := m.endStill(ctx) // whoever looks closes it
		if task := m.present(); task != nil {
			err = task.Close()
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			m.log.Error("the view's state did not close well", "error", err)
		}
	}()
}

func (m *maintaining) wait() { <-m.finished }

// How long is waited between two tries: a table that is not captured yet is seen
// soon, and what a person has to mend is not tried in a loop (R09).
const (
	viewRetry   = 250 * time.Millisecond
	viewLongest = 30 * time.Second
)

func (m *maintaining) component() *supervise.Component {
	return &supervise.Component{
		Run: m.run, Backoff: supervise.Backoff{Min: viewRetry, Max: viewLongest}, Person: needsPerson, Sleep: m.rest,
		FailFast: m.views.FailFast,
		Events:   supervise.Events{Starting: func(int) { m.meter.Starting() }, Failed: m.failed},
	}
}

// run maintains the view while this daemon owns it, and stands by while another
// does (R08).
func (m *maintaining) run(ctx context.Context) error {
	group, frontier := ownership(m.views.File, m.name)
	return log.OwnFenced(ctx, m.views.Topics, group, frontier, m.meter.StandingBy, m.maintain)
}

// ownership gives the group and the topic by which a view is owned.
func ownership(c *configs.Config, name string) (group, frontier string) {
	return "evert." + c.Name + ".view." + name, view.FrontierTopic(c.Name, name)
}

// maintain compiles the query for the tables as they are now, and runs the task
// of that version.
func (m *maintaining) maintain(ctx context.Context, generation func() log.Generation) error {
	m.meter.Owning()
	plan, err := m.awaitPlan(ctx)
	if err != nil {
		return err
	}
	task, err := m.taskOf(ctx, plan)
	if err != nil {
		return err
	}
	m.change(func() { m.generation = generation })
	return task.Run(ctx)
}

// tablesPoll is how often is looked whether a source has captured a table.
const tablesPoll = 500 * time.Millisecond

// awaitPlan compiles the query, and waits for tables that are not captured yet.
func (m *maintaining) awaitPlan(ctx context.Context) (*Plan, error) {
	told := ""
	for {
		p, err := Compile(ctx, m.views.File, m.views.Registry, m.name)
		if err != nil {
			m.showLast()
		}
		if pipeline.CodeOf(err) != CodeWaits {
			return p, err
		}
		if told != err.Error() {
			told = err.Error()
			m.waits(err, tablesPoll, false)
			m.log.Info("the view waits for a table", "error", told)
		}
		select {
		case <-time.After(tablesPoll):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// waits notes why the view does not run.
func (m *maintaining) waits(err error, wait time.Duration, person bool) *monitor.Problem {
	p := monitor.ProblemOf(err, time.Now())
	m.meter.Failed(p, wait, person)
	m.change(func() {
		m.person, m.problem = person, &pipeline.Refusal{Code: p.Code, Where: "view " + m.name, What: p.Text, Mend: p.Mend}
	})
	return p
}

// showLast shows what the view showed last, if nothing is shown: its query cannot be
// compiled for the tables as they are, and State says why.
func (m *maintaining) showLast() {
	m.mu.Lock()
	shows := m.reading != nil
	m.mu.Unlock()
	if shows {
		return
	}
	s, err := view.NewStill(m.folder)
	if err != nil {
		m.log.Warn("what the view showed last cannot be shown", "error", err)
	}
	if err != nil || s == nil {
		return
	}
	m.feed.Start(local.EpochOf(s.Shown()))
	m.change(func() { m.still, m.reading = s, &local.Reading{At: s, Of: m.folder.Shape} })
}

// endStill ends what showLast shows, so that a task may open the state.
func (m *maintaining) endStill(ctx context.Context) error {
	m.mu.Lock()
	still := m.still
	m.mu.Unlock()
	if still == nil {
		return nil
	}
	m.change(func() { m.still, m.reading = nil, nil })
	m.views.Reads.Drop(m.name)
	return still.Close(ctx)
}

// taskOf gives the task of a version: that of the run before, if it is the same.
func (m *maintaining) taskOf(ctx context.Context, p *Plan) (*view.Task, error) {
	m.mu.Lock()
	task, hash := m.task, m.hash
	m.mu.Unlock()
	if task != nil && hash == p.hash {
		return task, nil
	}
	if task != nil {
		m.log.Info("the view's definition or its tables changed; the new version is built beside the old one")
		m.change(func() { m.task, m.reading = nil, nil })
		if err := task.Close(); err != nil {
			return nil, err
		}
	}
	if err := m.endStill(ctx); err != nil {
		return nil, err
	}
	engine, err := local.NewEngine(p.Plan, dataflow.Env{NewSorter: m.views.pool.NewSorter, MaxGroup: m.views.Group})
	if err != nil {
		return nil, err
	}
	task, err = m.newTask(p, engine)
	if err != nil {
		return nil, err
	}
	m.change(func() {
		m.task, m.hash, m.reading = task, p.hash, &local.Reading{At: task, Of: m.folder.Shape}
		m.plan, m.engine = p, engine
	})
	go m.forward(task)
	return task, nil
}

func (m *maintaining) newTask(p *Plan, engine *local.Engine) (*view.Task, error) {
	v := m.views
	table := view.Table(v.File.Name, m.name, p.Plan)
	if err := m.folder.Describe(p.hash, table, p.Plan.Indexes); err != nil {
		return nil, err
	}
	shape, err := query.NewShape(table.Columns, table.Key, p.Plan.Indexes)
	if err != nil {
		return nil, err
	}
	limits := view.Limits{Interval: m.config.EpochInterval, State: int64(v.File.Limits.ViewStateBytes)}
	if k := v.File.Kafka; k != nil {
		limits.Timeout = k.TransactionTimeout / 2
	}
	return view.New(view.Config{
		Deployment: v.File.Name, Name: m.name, Plan: p.Plan, Hash: p.hash, Topics: p.topics, Log: v.Topics, Registry: v.Registry,
		Engine: engine, States: m.folder, Partitions: m.config.Partitions, Limits: limits, Events: local.Follow(m.feed, shape, m.events()),
		Generation: m.fence, Holding: v.Topics.Holding,
	}), nil
}

// fence is the generation of the present ownership.
func (m *maintaining) fence() log.Generation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.generation()
}

// change changes what others see, and wakes those who wait for that.
func (m *maintaining) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.moved)
	m.moved = make(chan struct{})
}

// forward tells of a task's moves as of the view's, while it is the view's.
func (m *maintaining) forward(task *view.Task) {
	for {
		moved := task.Moved()
		if m.present() != task {
			return
		}
		select {
		case <-moved:
			m.change(func() {})
		case <-m.finished:
			return
		}
	}
}

func (m *maintaining) present() *view.Task {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.task
}
