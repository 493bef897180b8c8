package postgres

import (
	"context"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A copyRequest asks for the copy of a table.
type copyRequest struct {
	oid  uint32
	name pgsql.TableName
	id   string // empty: the table came later, and was never copied
}

// A tableCopy is how far the copy of a table is, as Resume.State has it.
type tableCopy struct {
	OID  uint32   `json:"oid"`
	ID   string   `json:"id,omitempty"`   // of the request
	Done bool     `json:"done,omitempty"` // remembered by its ID
	At   progress `json:"at,omitzero"`

	Where string `json:"where,omitempty"` // fingerprint of the condition that chooses its rows
}

// Copy asks for a copy of a table. See pipeline.Copier.
func (s *Source) Copy(ctx context.Context, r pipeline.CopyRequest) error {
	oid, name, err := s.find(ctx, r.Table)
	if err == nil {
		s.copying.request(copyRequest{oid: oid, name: name, id: r.ID})
	}
	return err
}

// CopiesDue reports whether tables are being copied or are to be, also by itself because
// they came later or are large. Any goroutine may call it, from Open on.
func (s *Source) CopiesDue() bool { return s.copying.busy.Load() }

// request queues a request. One that somebody asked for takes the place of another for
// the same table. Any goroutine may call it.
func (c *copying) request(r copyRequest) {
	same := func(q copyRequest) bool { return q.oid == r.oid }
	c.mu.Lock()
	if r.id != "" {
		c.requests = slices.DeleteFunc(c.requests, same)
	}
	if !slices.ContainsFunc(c.requests, same) {
		c.queue(r)
	}
	c.mu.Unlock()
	c.busy.Store(true)
	c.wake()
}

// queue puts a request behind all others, but one that nobody asked for by its rank.
func (c *copying) queue(r copyRequest) {
	at := len(c.requests)
	rank := func(r copyRequest) int { return c.source.config.rank(r.name) }
	for r.id == "" && at > 0 && c.requests[at-1].id == "" && rank(c.requests[at-1]) > rank(r) {
		at--
	}
	c.requests = slices.Insert(c.requests, at, r)
}

// superseded reports whether the table is asked for anew.
func (c *copying) superseded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.requests, func(r copyRequest) bool { return r.oid == c.table.OID && r.id != "" && r.id != c.table.ID })
}

// next chooses a table: one whose copy was begun comes first.
func (c *copying) next() bool {
	if c.shape = nil; !c.superseded() && c.goOn() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.requests) > 0 {
		r := c.requests[0]
		c.requests = c.requests[1:]
		if c.source.a.state.wants(r) {
			c.table, c.name = tableCopy{OID: r.oid, ID: r.id}, r.name
			return true
		}
	}
	if c.goOn() {
		return true // what was asked for in its place was begun before
	}
	c.table = tableCopy{}
	c.busy.Store(false)
	return false
}

// goOn chooses a table whose copy was begun.
func (c *copying) goOn() bool {
	st := c.source.a.state
	for _, t := range st.Copies {
		if !t.Done && st.holds(t.OID) && !st.stops(t.OID) {
			c.table, c.name = t, st.names[t.OID]
			return true
		}
	}
	return false
}
