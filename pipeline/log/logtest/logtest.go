// Package logtest is the suite that every implementation of log.Log passes.
//
// A clause is one numbered sentence of the contract, run as one subtest on a
// log of its own:
//
//	logtest.Run(t, open)        =>  TestLog/11_K05_a_new_writer_drops_the_open_commit
//
// What a clause needs beyond the interface (a crash, a full disk, time) is a
// power that the Harness may have. A log that lacks one says why; its clauses
// are then skipped with that reason, and a power that is neither there nor
// explained fails the run.
//
// Clauses wait for events, never for a while. Where an implementation may do
// less than another (compaction may leave records, a cut may be called unsound
// out of caution) the clause asserts what a reader relies on, and the stronger
// statement only of a Harness that claims it.
package logtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// A Harness is a log and what the suite may do to it. Its functions fail the
// test themselves.
type Harness struct {
	// Log is fresh and empty.
	Log log.Log

	// Reopen ends the process that holds the log in good order and gives the
	// log as the next process sees it. The former Log is dead.
	Reopen func(t *testing.T) log.Log
	// Crash ends that process at once: writers are left as they are, and what
	// was not yet durable may be lost. It gives the log as the next process
	// sees it. Without such a thing, closing the client's connections will do.
	Crash func(t *testing.T) log.Log
	// Compact lets all that is committed become older than its topic's MinLag
	// and compacts the topic as far as it can.
	Compact func(t *testing.T, topic string)
	// Advance moves the log's clock on.
	Advance func(t *testing.T, d time.Duration)
	// LoseCommit makes the next Commit of a writer fail: after it took effect
	// if done, else before.
	LoseCommit func(t *testing.T, done bool)
	// Fill takes the log's room away, Free gives it back.
	Fill func(t *testing.T)
	Free func(t *testing.T)
	// Committed reads the committed offsets of a group.
	Committed func(t *testing.T, group string) log.Offsets

	// Exact claims that Compact leaves the newest record of each key and of
	// each partition only, and that Flush gives exactly the offset behind the
	// last record.
	Exact bool
	// Late says that the end of a commit becomes visible a moment after Commit or
	// Abort returned, and not before. The suite's own commits then wait for it.
	Late bool
	// Pins claims that a reader's limits hold compaction back.
	Pins bool

	// Cannot says why a power is missing.
	Cannot map[Power]string
}

// A Power names something that a Harness may be able to do.
type Power string

// The powers, by the fields of Harness; Index is the writer's.
const (
	Reopen     Power = "Reopen"
	Crash      Power = "Crash"
	Compact    Power = "Compact"
	Advance    Power = "Advance"
	LoseCommit Power = "LoseCommit"
	Fill       Power = "Fill"
	Committed  Power = "Committed"
	Pins       Power = "Pins"
	Index      Power = "Index"
	// Aging is a Compact and Advance whose log drops expired tombstones and
	// old records of a delete topic, and knows which readers missed them.
	Aging Power = "Aging"
)

// has reports whether the harness declares a power.
func (h *Harness) has(p Power) bool {
	switch p {
	case Reopen:
		return h.Reopen != nil
	case Crash:
		return h.Crash != nil
	case Compact:
		return h.Compact != nil
	case Advance:
		return h.Advance != nil
	case LoseCommit:
		return h.LoseCommit != nil
	case Fill:
		return h.Fill != nil && h.Free != nil
	case Committed:
		return h.Committed != nil
	case Pins:
		return h.Pins
	case Aging:
		return h.Compact != nil && h.Advance != nil && h.Cannot[Aging] == ""
	}
	return h.Cannot[p] == ""
}

// A clause is one sentence of the contract.
type clause struct {
	name  string // with the hazards that it covers before it
	needs []Power
	run   func(e *env)
}

// clauses are numbered by their place, from 1: new ones go to the end.
func clauses() []clause {
	var all []clause
	for _, group := range [][]clause{
		writing, reading, fencing, surviving, compacting, managing, sharing, indexing, owning,
	} {
		all = append(all, group...)
	}
	return all
}

// Run runs every clause, each on a log of its own that open makes; open closes
// it with t.Cleanup. It fails when one of the hazards is covered by no clause
// that passed.
func Run(t *testing.T, open func(t *testing.T) Harness, hazards ...string) {
	covered := map[string]bool{}
	for i, c := range clauses() {
		t.Run(fmt.Sprintf("%02d %s", i+1, c.name), func(t *testing.T) {
			h := open(t)
			for _, p := range c.needs {
				h.demand(t, p)
			}
			c.run(&env{T: t, h: &h, log: h.Log})
			for _, word := range strings.Fields(c.name) {
				covered[word] = !t.Failed()
			}
		})
	}
	for _, id := range hazards {
		if !covered[id] {
			t.Errorf("no clause that ran covers %s", id)
		}
	}
}

// demand skips the clause when the harness says why it lacks a power.
func (h *Harness) demand(t *testing.T, p Power) {
	t.Helper()
	if h.has(p) {
		return
	}
	if h.Cannot[p] == "" {
		t.Fatalf("the harness has no %s and does not say why", p)
	}
	t.Skipf("SKIPPED: this log has no %s: %s", p, h.Cannot[p])
}
