package transform

import (
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// An Out is what a Bound writes its changes to: the next step of the chain. What
// it hands out lives until the chain's next batch.
type Out struct {
	chain *Chain
	next  int // the pass that takes what is emitted
	own   pipeline.Change
}

// change is a copy of c, to be altered and emitted; there is one at a time.
func (o *Out) change(c *pipeline.Change) *pipeline.Change {
	o.own = *c
	return &o.own
}

// emit hands a change to the next step, which is done with it when emit returns.
func (o *Out) emit(c *pipeline.Change) error { return o.chain.pass(o.next, c) }

// announce says that a table may be emitted from now on, which Tables did not
// know.
func (o *Out) announce(t *schema.Table) error { return o.chain.bind(o.next, t, o.chain.coming) }

// row gives a row of n values, all NULL.
func (o *Out) row(n int) schema.Row { return o.chain.values.make(n) }

// bytes gives n bytes.
func (o *Out) bytes(n int) []byte { return o.chain.bytes.make(n) }

// keeps reports whether rows are only looked at for how they would be written:
// then no step leaves one out.
func (o *Out) keeps() bool { return o.chain.keep }
