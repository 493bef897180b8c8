package postgres

import (
	"context"
	"reflect"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/window"
)

// describe lets the table be described, and what was copied of it be compared.
func (c *copying) describe() {
	st := c.source.a.state
	j := &describeJob{source: c.source, oid: c.table.OID}
	called := c.name
	if st.holds(j.oid) && !st.stops(j.oid) {
		called = st.names[j.oid]
	}
	was, begun := st.marks[j.oid], st.copying(j.oid, c.table.ID)
	if c.table.ID == "" && !begun {
		called = pgsql.TableName{} // it came later, whatever it is called by now
	}
	c.facts, c.unlike = j, nil
	c.run(describing, func(ctx context.Context) {
		conn, err := c.connected(ctx)
		at := &side{config: &c.source.config, conn: conn, fixed: true}
		if err == nil {
			err = j.run(ctx, at)
		}
		if err == nil && called != (pgsql.TableName{}) {
			err = c.source.stillCalled(ctx, at, j.info, called)
		}
		if err == nil && begun {
			c.unlike, err = c.source.unlike(ctx, at, j.info, was)
		}
		j.err = err
	})
}

// stillCalled refuses a table that has another name than its rows go by.
func (s *Source) stillCalled(ctx context.Context, at *side, now *tableInfo, name pgsql.TableName) error {
	if now.TableName == name {
		return nil
	}
	all, err := loadTables(ctx, at, false)
	if err != nil {
		return err
	}
	return s.config.renamed(name, now.TableName, all)
}

// unlike says what happened to a table unseen since it had a mark; nil if nothing that
// rows which were copied before do not follow.
func (s *Source) unlike(ctx context.Context, at *side, t *tableInfo, was mark) (*pipeline.Refusal, error) {
	now, err := s.config.standings(ctx, at, s.version, []uint32{t.oid})
	switch st := now[t.oid]; {
	case err != nil:
		return nil, err
	case st == nil:
		return nil, s.config.dropped(t.TableName)
	default:
		return s.watch.diverged(ctx, was, st)
	}
}

func (c *copying) takeFacts() error {
	c.phase = resting
	if err := c.facts.err; err != nil {
		return c.retry(err)
	}
	c.failed, c.phase = 0, described
	return nil
}

// begin begins the copy of the table that was described, or goes on with it.
func (c *copying) begin() error {
	if err := c.source.a.flush(); err != nil {
		return err
	}
	c.phase = resting
	begun := c.source.a.state.copying(c.table.OID, c.table.ID)
	if begun && c.source.a.state.stops(c.table.OID) {
		c.next() // what was left out of it meanwhile comes no more
		return nil
	}
	sh, isNew := c.present()
	goesOn := begun
	if isNew && goesOn && !c.mayGoOn(sh) {
		goesOn = false // its earlier rows were changed without a word
	}
	if where := c.source.config.where(c.facts.info.TableName).Fingerprint(); c.table.Where != where {
		c.table.Where, goesOn = where, false // its earlier rows were chosen otherwise
	}
	c.shape, c.chosen, c.attnames = sh, c.source.config.chosenRows(c.facts.info), c.facts.info.attnames
	c.window = window.Window{MostBytes: c.source.config.WindowBytes, MostXIDs: c.source.config.WindowTransactions}
	c.window.Watch()
	c.stats = c.source.stats.again(sh.table.String(), c.facts.rows, c.facts.bytes, c.table.At.Rows)
	if goesOn && !isNew {
		c.say("table is copied on", "rows", c.table.At.Rows)
		return nil
	}
	b := c.source.queue.Get()
	if isNew {
		c.source.adopt(sh, c.facts.mark)
		b.Tables = append(b.Tables, sh.table)
	}
	if !begun && c.table.ID == "" && c.source.config.NoSnapshot {
		c.table, c.shape = tableCopy{}, nil // it is followed from here on
		return c.hand(b)
	}
	if !goesOn {
		c.table.At = progress{}
		b.Copies = append(b.Copies, pipeline.TableCopy{Table: sh.table, ID: c.table.ID})
		c.say("the copy of a table begins")
	}
	c.keep()
	if err := c.hand(b); err != nil {
		return err
	}
	return c.source.reads(sh)
}

// present gives the shape of the table that was described: the one that the stream
// reads it with, if that is the same.
func (c *copying) present() (sh *shape, isNew bool) {
	sh = c.facts.shape
	if r := c.source.a.rels[c.table.OID]; r != nil && r.shape != nil && r.pending == nil && r.before == nil && !r.halted {
		if sh.table.Version = r.shape.table.Version; reflect.DeepEqual(r.shape, sh) {
			return r.shape, false
		}
	}
	sh.table.Version = c.source.catalog.nextVersion(sh.oid)
	return sh, true
}

// mayGoOn reports whether rows that were copied before can stay as they are.
func (c *copying) mayGoOn(sh *shape) bool {
	return c.unlike == nil && c.source.catalog.allowed(c.source.a.state.kept[sh.oid], sh, c.facts.info) == nil
}

// adopt makes a shape what the stream reads a table with from here on, whatever its
// rows were read with before. Owner goroutine, between transactions.
func (s *Source) adopt(sh *shape, m mark) {
	r := s.a.rels[sh.oid]
	if r == nil {
		r = &relation{}
		s.a.rels[sh.oid] = r
	}
	pending := r.pending
	*r = relation{shape: sh}
	if pending != nil && !sh.matches(pending) {
		r.pending = pending
	}
	name := pgsql.TableName{Schema: sh.table.Schema, Name: sh.table.Name}
	s.shapes = append(slices.DeleteFunc(slices.Clone(s.shapes), func(o *shape) bool { return o.oid == sh.oid || o.table.String() == sh.table.String() }), sh)
	s.stopped = slices.DeleteFunc(slices.Clone(s.stopped), func(t stop) bool { return t.OID == sh.oid || t.name() == name })
	watched := map[uint32][]string{}
	for _, o := range s.shapes {
		watched[o.oid] = o.keyNames()
	}
	s.watched.Store(&watched)
	s.initial = s.initial.capture(sh, m)
	s.a.keep(s.a.state.capture(sh, m))
	s.a.settle()
}
