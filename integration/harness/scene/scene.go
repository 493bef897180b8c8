//go:build unix

// Package scene puts the parts of the harness together: a database under a
// seeded workload, the daemon that captures it, and the comparison at the end.
package scene

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/check"
	"github.com/evertdb/evert/integration/harness/workload"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// A Scene is one world under one workload.
type Scene struct {
	*harness.World
	Workload *workload.Generator
	Seen     check.Seen // what the last comparison looked at
}

// restless is the source's section unless a test brings its own: commits are
// frequent and parts small, so that much lies between the places at which a fault
// can strike.
const restless = `commit_interval: 10ms
max_commit_rows: 200
idle_interval: 100ms
reconnect_max: 1s
`

// New makes the database, with bulk rows beside the sessions' first ones.
func New(t testing.TB, suite *harness.Suite, pg *pgserver.Server, seed uint64, bulk int64, o harness.Options) *Scene {
	t.Helper()
	suite.Evert(t, o.Tags...) // before there is traffic
	s := &Scene{World: suite.NewWorld(t, pg, fmt.Sprintf("scene_%x", seed&0xffffffff))}
	s.Options = o
	if o.Source == "" {
		s.Options.Source = restless
	}
	s.Workload = &workload.Generator{Seed: seed, Sessions: 2, Pace: 2 * time.Millisecond, WideShare: 10}
	if err := s.Workload.Setup(t.Context(), s.URL(), bulk); err != nil {
		t.Fatal(err)
	}
	return s
}

// Traffic runs the workload until the returned function is called, which a test
// does once and at the latest at its end.
func (s *Scene) Traffic() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Workload.Run(ctx) }()
	s.Cleanup(cancel)
	return func() {
		s.Helper()
		cancel()
		if err := <-done; err != nil {
			s.Fatalf("the workload failed: %v", err)
		}
	}
}

// AwaitTransactions waits until so many more transactions were committed.
func (s *Scene) AwaitTransactions(more int) {
	s.Helper()
	before, _ := s.Workload.History.Count()
	timeout := time.After(harness.Patience)
	for {
		if n, _ := s.Workload.History.Count(); n >= before+more {
			return
		}
		select {
		case <-timeout:
			s.Fatalf("the workload does not get on")
		case <-time.After(2 * time.Millisecond): // the period of asking
		}
	}
}

// CatchUpAndCompare ends in equality or an error. No daemon may be running.
func (s *Scene) CatchUpAndCompare() error {
	s.Helper()
	if err := s.catchUp(); err != nil {
		return err
	}
	return s.Compare()
}

// CatchUpAndFold ends in equality of the tables, and of others beside the workload's, with
// their topics folded by key, or in an error: for topics that are swept, which are no
// history. It waits until the cleaner has passed them, since one that takes a row and,
// a second later, its tombstone while they are read may show the row alone (K17). No
// daemon may be running.
func (s *Scene) CatchUpAndFold(others ...string) error {
	s.Helper()
	if err := s.catchUp(); err != nil {
		return err
	}
	var topics []string
	for _, table := range append(tables(), others...) {
		topics = append(topics, harness.Topic(table))
	}
	if err := s.Compact(topics...); err != nil {
		return err
	}
	var problems check.Problems
	rows, err := s.fold(&problems, others...)
	if err != nil {
		return err
	}
	s.Logf("%d rows folded", rows)
	return problems.Err()
}

func (s *Scene) catchUp() error {
	s.Helper()
	d := s.Run("--until-caught-up")
	if code := d.Wait(s, 5*time.Minute); code != 0 {
		return fmt.Errorf("evert run --until-caught-up: exit code %d:\n%s", code, d.Last(20))
	}
	return nil
}

// Compare looks at everything the topics hold. No daemon may be running.
func (s *Scene) Compare() error {
	var problems check.Problems
	facts, err := check.Gather(s.World, &problems)
	if err != nil {
		return err
	}
	s.Seen = check.History(facts, &s.Workload.History)
	rows, err := s.fold(&problems)
	if err != nil {
		return err
	}
	s.Logf("seen: %s; %d rows folded", s.Seen, rows)
	if s.Seen.Cuts == 0 || s.Seen.Transactions+s.Seen.Snapshotted == 0 {
		problems.Add("nothing was looked at")
	}
	return problems.Err()
}

// fold compares the tables with what the topics hold by key, and looks for canaries.
func (s *Scene) fold(problems *check.Problems, others ...string) (rows int, err error) {
	rows, err = check.Tables(s.World, problems, append(tables(), others...)...)
	if err == nil && rows == 0 {
		problems.Add("no row was looked at")
	}
	s.CheckCanaries(workload.Canary, harness.Password)
	return rows, err
}

func tables() []string {
	var names []string
	for _, t := range workload.Tables() {
		names = append(names, t.Name)
	}
	return names
}

// Ask gives the one value of a query.
func Ask[T any](s *Scene, sql string) (value T) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), s.URL())
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.Context()))
	if err := conn.QueryRow(s.Context(), sql).Scan(&value); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
	return value
}

// MustEnd stops a daemon as SIGTERM does, catches up and compares.
func (s *Scene) MustEnd(d *harness.Daemon) {
	s.Helper()
	if d != nil {
		d.Terminate()
	}
	if err := s.CatchUpAndCompare(); err != nil {
		s.Fatal(errors.Join(errors.New("the topics differ from the database"), err))
	}
}
