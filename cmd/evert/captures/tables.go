package captures

import (
	"context"
	"sync"

	"github.com/evertdb/evert/cmd/evert/tables"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// newTables makes what commands the tables of a stage that reads a source.
func (c *Capture) newTables(bare pipeline.Source, settled func()) (*tables.Tables, error) {
	return tables.New(tables.Config{File: c.File, Source: c.name, Control: c.Control, Log: c.log, Monitor: c.Monitor, Settled: settled}, bare)
}

// tabled lets the tables of a stage be commanded, until the function that it gives is
// called.
func (c *Capture) tabled(ctx context.Context, t *tables.Tables) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	c.set(t)
	var runs sync.WaitGroup
	runs.Go(func() { t.Run(ctx) })
	return func() {
		cancel()
		runs.Wait()
		c.set(nil)
	}
}

func (c *Capture) set(t *tables.Tables) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables = t
}

// Tables gives what commands the tables of the stage that runs; nil if none does.
func (c *Capture) Tables() *tables.Tables {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tables
}

// tableIs takes down the state of a table. One that goes on has nothing to be told of
// any more.
func (c *Capture) tableIs(topic string, t *schema.Table, state log.TableState) {
	c.Tables().State(topic, t, state)
	if state.State == log.OK {
		delete(c.stopped, topic)
	}
}
