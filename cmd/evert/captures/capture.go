package captures

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/evertdb/evert/cmd/evert/codes"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/gate"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/supervise"
	"github.com/evertdb/evert/cmd/evert/tables"
	"github.com/evertdb/evert/pipeline"
)

// probeEvery is how often the server is asked how far it is.
const probeEvery = 5 * time.Second

// A Capture is one source's way into the log, and what watches over it. One
// goroutine, live, owns the component and the prober; others ask it.
type Capture struct {
	Config
	name      string
	kind      databases.Connector
	database  databases.Database
	positions databases.Source // never opened: it compares positions
	Monitor   *monitor.Source
	log       *slog.Logger
	cancel    context.CancelFunc
	jobs      chan job
	finished  chan struct{}                // closed when nothing of it runs any more
	stopped   map[string]*pipeline.Refusal // by topic, tables of this stage that have stopped; owned by the component
	open      bool                         // sink and source are: what stops from now on, stops in this run; owned by the component
	ends      *pipeline.Refusal            // why the stage is to end behind the next commit; owned by the component
	commits   uint64                       // when it last failed; owned by the component
	tables    *tables.Tables               // of the stage that runs; guarded by mu
	undrain   bool                         // it goes on where it was drained; owned by the component
	target    string                       // where to stop, with --until-caught-up; owned by the component
	Probes    supervise.Beat               // of the prober
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

func newCapture(all Config, name string) (*Capture, error) {
	c := &Capture{Config: all, name: name, log: all.Log.With("source", name), cancel: func() {}, jobs: make(chan job), finished: make(chan struct{}), gate: gate.New()}
	kind, database, err := databases.Open(databases.Place{Config: all.File, Name: name, Log: c.log})
	if err != nil {
		return nil, err
	}
	c.kind, c.database, c.positions = kind, database, database.Source()
	c.Monitor = monitor.NewSource(monitor.Config{Name: name, Kind: kind.Kind, Now: all.Now, Facts: c.facts})
	return c, nil
}

// Start runs the component and the prober until ctx ends, Cancel is called, or
// the component is done.
func (c *Capture) Start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(ctx)
	go c.live(ctx)
}

// Cancel tells it to end.
func (c *Capture) Cancel() { c.cancel() }

// Wait returns when all has ended that Start began.
func (c *Capture) Wait() { <-c.finished }

// live runs the source, and rests for the jobs that need it to.
func (c *Capture) live(ctx context.Context) {
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
func (c *Capture) work(ctx context.Context) *job {
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
			c.Fail(err)
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

// WhileResting does something while the source does not run, and returns when it
// was done.
func (c *Capture) WhileResting(ctx context.Context, do func()) error {
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

func (c *Capture) component() *supervise.Component {
	reconnect := c.File.Sources[c.name].ReconnectMax
	return &supervise.Component{
		Run:      c.run,
		Backoff:  supervise.Backoff{Min: reconnect / 100, Max: reconnect},
		Person:   codes.NeedsPerson,
		FailFast: c.FailFast || c.UntilCaughtUp,

		Progressed: c.progressed,

		Events: supervise.Events{Starting: c.Monitor.Starting, Failed: c.failed},
	}
}

// progressed reports whether anything was committed since it was last called.
func (c *Capture) progressed() bool {
	before := c.commits
	c.commits = c.Monitor.Status().Totals.Commits
	return c.commits > before
}

func (c *Capture) failed(err error, wait time.Duration) {
	person := codes.NeedsPerson(err)
	c.Monitor.Failed(err, wait, person)
	level := slog.LevelWarn
	if person {
		level = slog.LevelError
	}
	p := monitor.ProblemOf(err, time.Now())
	c.log.Log(context.Background(), level, "the source does not get on and will be tried again", "error", p.Text, "code", string(p.Code),
		"mend", p.Mend, "position", c.Monitor.Position().At.String(), "retry_in", wait.Round(time.Millisecond).String())
}

func (c *Capture) put(s databases.Source) {
	defer c.Urge()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.present, c.aimed = s, c.target != ""
}

// behindGate puts the gate before a source whose place can be told.
func (c *Capture) behindGate(s databases.Source) databases.Source {
	if _, ok := c.database.(databases.Pinner); ok {
		return c.gate.Guard(s)
	}
	return s
}

// Urge tells the present source who waits for it: the end of the run, readers of
// views, a comparison.
func (c *Capture) Urge() {
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
func (c *Capture) Reached(have, want string) (bool, error) { return c.positions.Reached(have, want) }

// Hasten implements query.Clock.
func (c *Capture) Hasten(waiting bool) {
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
func (c *Capture) facts() (monitor.Facts, bool) {
	c.mu.Lock()
	present := c.present
	c.mu.Unlock()
	if present == nil {
		return monitor.Facts{}, false
	}
	return present.Facts(), true
}

// Name is the source's. With Database, Ready, Gate and Urge it implements verify.Capture.
func (c *Capture) Name() string { return c.name }

// Database is the source's, opened to be asked.
func (c *Capture) Database() databases.Database { return c.database }

// Ready reports whether the source runs, and its tables are copied.
func (c *Capture) Ready() bool { return c.Monitor.Status().Ready }

// Gate is what stops the source at a place.
func (c *Capture) Gate() *gate.Gate { return c.gate }
