package transform

import (
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// An Outbox publishes the events that an application writes into a table of its
// own, beside what it changes: each row is an event of an aggregate, goes to the
// topic of the aggregate's type, and has the aggregate's id as its key. The
// columns are those of Debezium's event router.
//
//	read, create   the event; header id is its id
//	update         an event that was published cannot change: it stops the table,
//	               or is left out
//	delete         left out: the application tidies up
//	truncate       left out
//
// A topic is <prefix>.outbox.event.<type>. Its rows are those of the table without
// the column of the type.
type Outbox struct {
	Where                      Text // of the step
	ID, Type, Aggregate, Event Text // columns; those of Debezium if empty: id, aggregatetype, aggregateid, type
	Payload                    Text // payload
	Tables                     []string
	Allows                     func(schema, table string) bool
	Most                       int
	SkipUpdates                bool
}

// outboxSchema stands for the schema of the tables that events go to, and
// eventPrefix begins their names.
const outboxSchema, eventPrefix = "outbox", "event."

// OutboxTable names the table of the events of a type of aggregates.
func OutboxTable(aggregate string) Name { return Name{outboxSchema, eventPrefix + aggregate} }

func (o Outbox) reaches() (named []Name, others func(schema, table string) bool) {
	for _, name := range o.Tables {
		named = append(named, OutboxTable(name))
	}
	if o.Allows == nil {
		return named, nil
	}
	return named, func(schema, table string) bool {
		return schema == outboxSchema && strings.HasPrefix(table, eventPrefix) && o.Allows(schema, table)
	}
}

func (o Outbox) column(t *schema.Table, c Text, standard string) (int, error) {
	if c.Text == "" {
		c.Text = standard
	}
	return c.column(t)
}

// Bind implements Step.
func (o Outbox) Bind(t *schema.Table) (Bound, error) {
	var at [5]int
	for i, c := range []struct {
		text     Text
		standard string
	}{{o.ID, "id"}, {o.Type, "aggregatetype"}, {o.Aggregate, "aggregateid"}, {o.Event, "type"}, {o.Payload, "payload"}} {
		if c.text.Fault == nil {
			c.text.Fault, c.text.Where = o.Where.Fault, o.Where.Where
		}
		n, err := o.column(t, c.text, c.standard)
		if err != nil {
			return nil, err
		}
		at[i] = n
	}
	id, kind, aggregate := at[0], at[1], at[2]
	if t.Columns[kind].Type.Kind != schema.KindText {
		return nil, o.Where.wrong(codeColumn, "column "+quote(t.Columns[kind].Name)+" has type "+t.Columns[kind].Type.Name+", and is to name a topic", "make it a text")
	}
	events := *t
	events.Columns, events.Key = nil, nil
	b := &outbox{t: t, id: id, kind: kind, aggregate: aggregate, skip: o.SkipUpdates}
	for i := range t.Columns {
		if i == kind {
			continue
		}
		if i == aggregate {
			events.Key = []int{len(events.Columns)}
		}
		events.Columns = append(events.Columns, t.Columns[i])
		b.from = append(b.from, i)
	}
	b.router = newRouter(&events, o.Where.Where)
	b.allows, b.most = o.Allows, o.Most
	b.shut = &rowFault{code: codeRoute, where: o.Where.Where, what: "an event has a type of aggregate that topics does not name", mend: "add it to topics, or leave topics out"}
	for _, name := range o.Tables {
		n := OutboxTable(name)
		b.know(n.Schema, n.Table)
	}
	return b, nil
}

type outbox struct {
	*router
	t         *schema.Table
	id, kind  int
	aggregate int
	from      []int // by the event's column
	skip      bool
	name      []byte
}

// Tables implements Bound.
func (o *outbox) Tables() []*schema.Table { return o.tables }

// Apply implements Bound.
func (o *outbox) Apply(c *pipeline.Change, out *Out) error {
	switch {
	case c.Op == pipeline.Delete || c.Op == pipeline.Truncate:
		return nil
	case c.Op == pipeline.Update && !out.keeps():
		if o.skip {
			return nil
		}
		return &rowFault{code: codeOutbox, where: o.where, what: "an event that was published was updated in the table", mend: "on_update: skip   # below outbox; or insert events and never update them"}
	}
	kind := c.After[o.kind]
	if kind.IsNull() || !kind.IsKnown() {
		return o.shut
	}
	o.name = append(append(o.name[:0], eventPrefix...), kind.Ref()...)
	t, err := o.router.to([]byte(outboxSchema), o.name, out)
	if err != nil {
		return err
	}
	next := out.change(c)
	next.Table, next.Op, next.Before, next.After = t, c.Op, nil, out.row(len(o.from))
	if next.Aside = passed(c, o.from); next.Aside != nil {
		next.Aside.Before = nil
	}
	for i, f := range o.from {
		next.After[i] = c.After[f]
	}
	if id := c.After[o.id]; id.IsKnown() && !id.IsNull() {
		next.Headers = append(c.Headers[:len(c.Headers):len(c.Headers)], pipeline.Header{Key: "id", Value: o.t.Columns[o.id].Type.AppendText(nil, id)})
	}
	return out.emit(next)
}
