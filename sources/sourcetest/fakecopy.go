package sourcetest

import (
	"context"
	"encoding/json"
	"math"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// copying is how far the copy of the table is. A chunk is read as the database is
// now, and its rows come when the stream has passed all that it shows:
//
//	log     ───┬──────┬──────┬───── the end, where the chunk was read ──┬───── …
//	stream     ▲ place                                                  │ its rows come here,
//	                                                     or up to Window transactions later
//
// Of rows that a transaction in between touched, that one is newer.
type copying struct {
	progress
	asked   string         // the ID of a request that is not begun
	chunk   []schema.Row   // read and not given
	read    bool           // there is a chunk, which may be empty
	seen    int            // the chunk shows the log up to here
	touched map[int64]bool // keys that transactions behind seen changed
	passed  int            // how many
}

// progress is what a Resume keeps.
type progress struct {
	ID    string // of the last copy that began
	On    bool   // it is not done
	After int64  // rows up to this id were given
}

func (c *copying) append(name []byte) []byte {
	if c.ID == "" {
		return name
	}
	text, err := json.Marshal(c.progress)
	if err != nil {
		panic(err)
	}
	return append(append(name, '\n'), text...)
}

func (c *copying) parse(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, &c.progress)
}

// pass notes a transaction that was streamed.
func (c *copying) pass(ops []Op) {
	switch {
	case !c.read:
		return
	case c.seen > 0:
		c.seen--
		return
	}
	c.passed++
	for _, op := range ops {
		c.touched[op.ID], c.touched[op.target()] = true, true
	}
}

// Copy implements pipeline.Copier.
func (f *Fake) Copy(_ context.Context, r pipeline.CopyRequest) error {
	if r.Table != f.table.String() {
		return &pipeline.Refusal{Code: "FAKE_NO_TABLE", Where: "table " + r.Table, What: "it is not captured"}
	}
	f.database.mu.Lock()
	defer f.database.mu.Unlock()
	if r.ID != f.copy.ID {
		f.copy.asked = r.ID
		f.database.stir()
	}
	return nil
}

// copies reports whether the next batch is one of the copy; a chunk is read when
// there is none.
func (f *Fake) copies() bool {
	c := &f.copy
	switch {
	case c.asked != "":
		return true
	case !c.On:
		return false
	case !c.read:
		d := f.database
		c.chunk, c.read, c.seen = d.chunk(c.After, f.limit()), true, len(d.log)-f.place
		c.touched, c.passed = map[int64]bool{}, 0
	}
	return c.seen == 0 && (c.passed >= f.database.Window || f.place == len(f.database.log))
}

// copyStep gives the beginning of a copy, a chunk, or its end.
func (f *Fake) copyStep() pipeline.Batch {
	c := &f.copy
	var b pipeline.Batch
	switch {
	case c.asked != "":
		*c = copying{progress: progress{ID: c.asked, On: true, After: math.MinInt64}}
		b.Copies = []pipeline.TableCopy{{Table: f.table, ID: c.ID}}
	case len(c.chunk) == 0:
		*c = copying{progress: progress{ID: c.ID}}
		b.Copies = []pipeline.TableCopy{{Table: f.table, ID: c.ID, Done: true}}
	default:
		b.Changes = f.chunkRows()
		c.After = c.chunk[len(c.chunk)-1][0].Int()
		c.chunk, c.read = nil, false
	}
	b.End = f.resume()
	return b
}

// chunkRows are the rows of the chunk that nothing has replaced.
func (f *Fake) chunkRows() (changes []pipeline.Change) {
	tx := &pipeline.Tx{Position: f.at}
	for _, row := range f.copy.chunk {
		if !f.copy.touched[row[0].Int()] {
			changes = append(changes, pipeline.Change{Table: f.table, Op: pipeline.Read, After: row, Tx: tx, Row: uint32(len(changes))})
		}
	}
	return changes
}
