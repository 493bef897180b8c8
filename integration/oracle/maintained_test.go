package oracle

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/schema"
)

// A maintained is a view that follows its tables, an epoch per transaction.
type maintained struct {
	view   *sql.View
	engine *dataflow.Engine
	state  *dataflow.Memory
	rng    *rand.Rand
	begun  bool
	have   []map[string]schema.Row // by input: what it was told
	result map[string]schema.Row   // by the text of the key
}

func newMaintained(v *sql.View, seed uint64) (*maintained, error) {
	engine, err := dataflow.New(v.Plan, dataflow.Env{NewSorter: dataflow.NewMemorySorter, MaxGroup: 1 << 20})
	m := &maintained{view: v, engine: engine, state: &dataflow.Memory{}, rng: rand.New(rand.NewPCG(seed, 3)), result: map[string]schema.Row{}}
	m.have = make([]map[string]schema.Row, len(v.Plan.Inputs))
	return m, err
}

// follow is one epoch: the tables now have these rows. Some rows that did not
// change are said again, as a log says them after a crash: R10.
//
// An epoch that fails leaves everything as it was: the next one begins there.
func (m *maintained) follow(ctx context.Context, now map[string]map[string]schema.Row) (err error) {
	result, have := maps.Clone(m.result), slices.Clone(m.have)
	defer func() {
		if err != nil {
			m.result, m.have = result, have
		}
	}()
	var r dataflow.Reader
	if m.begun {
		r = m.state
	}
	epoch, err := m.engine.Begin(r, m.state)
	if err != nil {
		return err
	}
	defer epoch.Close()
	for i := range m.view.Plan.Inputs {
		rows := now[m.view.Plan.Inputs[i].Table.Name]
		if err := m.tell(epoch, i, rows); err != nil {
			return err
		}
		m.have[i] = rows
	}
	if _, err := epoch.Finish(ctx, m.take); err != nil {
		m.state.Drop()
		return err
	}
	m.state.Apply()
	m.begun = true
	return nil
}

// tell says how an input changed.
func (m *maintained) tell(epoch *dataflow.Epoch, i int, now map[string]schema.Row) error {
	in := &m.view.Plan.Inputs[i]
	if len(now) == 0 && len(m.have[i]) > 0 && m.rng.IntN(2) == 0 {
		return epoch.Clear(i)
	}
	for key, row := range m.have[i] {
		if _, ok := now[key]; !ok {
			if err := epoch.Delete(i, pick(pick(row, in.Carry), in.Key)); err != nil {
				return err
			}
		}
	}
	for key, row := range now {
		if had, ok := m.have[i][key]; ok && identical(had, row) && m.rng.IntN(8) != 0 {
			continue
		}
		if err := epoch.Upsert(i, pick(row, in.Carry)); err != nil {
			return err
		}
	}
	return nil
}

func pick(row schema.Row, at []int) schema.Row {
	out := make(schema.Row, len(at))
	for i, c := range at {
		out[i] = row[c]
	}
	return out
}

func identical(a, b schema.Row) bool {
	for i := range a {
		if !a[i].Identical(b[i]) {
			return false
		}
	}
	return true
}

// take applies a change to the result; one that does not fit what was there is an
// error.
func (m *maintained) take(c dataflow.Change) error {
	columns := m.view.Plan.Root.Columns()
	var keys []schema.Column
	for _, k := range m.view.Plan.Key {
		keys = append(keys, columns[k])
	}
	key := show(plain(texts(c.Key, keys), keys))
	had, ok := m.result[key]
	switch {
	case ok != (c.Old != nil):
		return fmt.Errorf("the change of %s says that there was a row: %t; there was: %t", key, c.Old != nil, ok)
	case ok && !identical(had, c.Old):
		return fmt.Errorf("the change of %s says %s, and there was %s", key, show(texts(c.Old, columns)), show(texts(had, columns)))
	case c.New == nil:
		delete(m.result, key)
	default:
		m.result[key] = clone(c.New)
	}
	return nil
}

func clone(row schema.Row) schema.Row {
	out := make(schema.Row, len(row))
	for i, v := range row {
		out[i] = v.Clone()
	}
	return out
}

// rows are the lines of the present result.
func (m *maintained) rows(loose bool) []string {
	columns := m.view.Plan.Root.Columns()
	var lines []string
	for _, row := range m.result {
		text := texts(row, columns)
		if loose {
			text = plain(text, columns)
		}
		lines = append(lines, show(text))
	}
	return lines
}
