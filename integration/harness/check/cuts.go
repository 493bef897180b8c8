//go:build unix

package check

import (
	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/workload"
	"github.com/evertdb/evert/pipeline/log"
)

// cuts looks at every frontier record: whether what lies below it is a prefix of
// whole transactions (I3).
func (c *history) cuts() {
	places := map[log.TopicPartition]int{} // records below the cut
	var before *log.Frontier
	for i := range c.facts.Cuts {
		cut := &c.facts.Cuts[i]
		c.seen.Cuts++
		if !cut.Resume.Whole() {
			c.Add("frontier record %d lies inside a transaction: %+v (I3)", cut.Number, cut.Resume.At)
		}
		if before != nil {
			c.successor(before, cut)
		}
		for tp, records := range c.facts.Records {
			places[tp] = c.cut(cut, tp, records, places[tp])
		}
		before = cut
	}
	for tp, records := range c.facts.Records {
		if n := len(records) - places[tp]; n > 0 {
			c.Add("%s: %d records above the last frontier record, the first at offset %d", tp, n, records[places[tp]].Offset)
		}
	}
}

func (c *history) successor(before, cut *log.Frontier) {
	if cut.Number != before.Number+1 {
		c.Add("frontier record %d follows %d", cut.Number, before.Number)
	}
	if cut.Incarnation != before.Incarnation {
		c.Add("frontier record %d is of another incarnation than %d", cut.Number, before.Number)
	}
	if cut.Resume.At.Seq < before.Resume.At.Seq || harness.LSN(cut.Resume.At.Native) < harness.LSN(before.Resume.At.Native) {
		c.Add("frontier record %d goes back from %s to %s", cut.Number, before.Resume.At, cut.Resume.At)
	}
	for tp, offset := range before.Offsets {
		if cut.Offsets[tp] < offset {
			c.Add("frontier record %d goes back in %s from %d to %d", cut.Number, tp, offset, cut.Offsets[tp])
		}
	}
}

// cut moves on to the first record at or above the cut, looks at those it
// passes and at the one it reaches.
func (c *history) cut(cut *log.Frontier, tp log.TopicPartition, records []Record, from int) int {
	at := cut.Resume.At.Seq
	for ; from < len(records) && records[from].Offset < cut.Offsets[tp]; from++ {
		if r := &records[from]; r.Incarnation == cut.Incarnation && r.Seq > at {
			c.Add("%s offset %d (seq %d) lies below the cut %d at seq %d (I3)", tp, r.Offset, r.Seq, cut.Number, at)
		}
	}
	if from < len(records) {
		r := &records[from]
		if r.Incarnation == cut.Incarnation && r.Seq <= at && r.Row < owed {
			c.Add("%s offset %d (seq %d) lies above the cut %d at seq %d (I3)", tp, r.Offset, r.Seq, cut.Number, at)
		}
	}
	return from
}

// generations counts the truncations that the frontier knows of.
func (c *history) generations(sessions map[int][]workload.Tx) {
	streamed := map[string]int{}
	for _, txs := range sessions {
		for i := range txs {
			if _, ok := c.seqOf[txs[i].ID]; ok {
				for topic, n := range truncated(map[int][]workload.Tx{0: txs[i : i+1]}) {
					streamed[topic] += n
				}
			}
		}
	}
	for topic, n := range streamed {
		c.seen.Truncations += n
		if got := int(c.last.Tables[topic].Generation); got != n {
			c.Add("%s was truncated %d times, the frontier says generation %d (P19)", topic, n, got)
		}
	}
}
