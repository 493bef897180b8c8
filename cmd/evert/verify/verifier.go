package verify

import (
	"context"
	"sync"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/gate"
	"github.com/evertdb/evert/cmd/evert/sinks"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/cmd/evert/views"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/schema/registry"
)

// codeImpossible says that something cannot be compared, at least not now.
const codeImpossible pipeline.Code = "VERIFY_IMPOSSIBLE"

// A Capture is a source's way into the log, as far as a comparison has to do with it.
type Capture interface {
	Name() string
	Database() databases.Database
	Ready() bool      // it runs, and its tables are copied
	Gate() *gate.Gate // by which it is stopped at a place
	Urge()            // tells it that its gate was held, or released
}

// A Config is what comparisons are made with.
type Config struct {
	File     *configs.Config
	Topics   *storage.Log
	Registry registry.Registry
	Captures []Capture
	Views    *views.Views // nil: there are none
	Sinks    *sinks.Sinks // nil: there are none
	Reads    *query.Reader
}

// A Verifier compares for a daemon, one thing at a time.
type Verifier struct {
	Config
	turn sync.Mutex // held by the comparison that goes on
}

// New makes a Verifier.
func New(c Config) *Verifier { return &Verifier{Config: c} }

// Verify compares what the request names; tell hears how far it is. It refuses while
// another comparison goes on.
func (v *Verifier) Verify(ctx context.Context, req api.VerifyRequest, tell func(api.VerifyProgress)) (*api.Verified, error) {
	if !v.turn.TryLock() {
		return nil, &pipeline.Refusal{Code: codeImpossible, Where: req.Name, What: "another comparison is going on", Mend: "wait for its end"}
	}
	defer v.turn.Unlock()
	return v.verify(ctx, req, tell)
}

// VerifyInTurn is Verify behind whatever comparison goes on, and tells nothing.
func (v *Verifier) VerifyInTurn(ctx context.Context, name string) (*api.Verified, error) {
	v.turn.Lock()
	defer v.turn.Unlock()
	return v.verify(ctx, api.VerifyRequest{Name: name}, func(api.VerifyProgress) {})
}

func (v *Verifier) verify(ctx context.Context, req api.VerifyRequest, tell func(api.VerifyProgress)) (*api.Verified, error) {
	c := &comparison{Verifier: v, name: req.Name, tell: tell, report: api.Verified{Name: req.Name, Exact: true}}
	began := time.Now()
	err := c.run(ctx, req.Repair)
	c.report.Seconds = time.Since(began).Seconds()
	return &c.report, err
}
