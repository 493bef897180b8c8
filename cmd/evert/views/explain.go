package views

import (
	"errors"
	"slices"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/pipeline/view/local"
)

// explain says how the view is kept current, and what that came to since this
// daemon took it up.
func (m *maintaining) explain() (*api.Explanation, error) {
	m.mu.Lock()
	plan, engine, problem := m.plan, m.engine, m.problem
	m.mu.Unlock()
	if plan == nil {
		return nil, api.NotMaintained(m.name, problem)
	}
	e, err := Explain(m.views.File, m.name, plan)
	if err != nil {
		return nil, err
	}
	addWork(e, sql.Operators(plan.Plan), engine)
	s := m.status()
	e.StateBytes, e.Epoch, e.Position = s.StateBytes, s.Epoch, s.Position
	return e, nil
}

// Explain says how a plan is carried out.
func Explain(c *configs.Config, name string, p *Plan) (*api.Explanation, error) {
	engine, err := dataflow.New(p.Plan, dataflow.Env{NewSorter: func() (dataflow.Sorter, error) { return nil, errors.New("it only explains") }, MaxGroup: 1})
	if err != nil {
		return nil, err
	}
	names := func(at []int) []string {
		list := make([]string, len(at))
		for i, c := range at {
			list[i] = p.Columns[c].Name
		}
		return list
	}
	e := &api.Explanation{View: name, Version: p.hash, Key: names(p.Plan.Key), Reads: p.topics, Writes: view.Topic(c.Name, name), Frontier: view.FrontierTopic(c.Name, name)}
	for _, index := range p.Plan.Indexes {
		e.Indexes = append(e.Indexes, names(index))
	}
	operators := sql.Operators(p.Plan)
	places := make([]int, len(operators)) // by operator: where it is in the engine
	for i, o := range operators {
		shown := api.Operator{Number: i + 1, Does: o.Does, Unique: o.Unique}
		for _, in := range o.Inputs {
			shown.Inputs = append(shown.Inputs, in+1)
		}
		e.Operators = append(e.Operators, shown)
		places[i] = engine.PlaceOf(o.Node)
	}
	for _, l := range engine.Layout() {
		e.Keeps = append(e.Keeps, api.Collection{Number: l.Number, Holds: l.Kind.String(), Of: slices.Index(places, l.Node) + 1})
	}
	return e, nil
}

// addWork adds what an engine has done.
func addWork(e *api.Explanation, operators []sql.Operator, engine *local.Engine) {
	work := engine.Work()
	e.Filled, e.Following = workOf(&work.Filled, engine), workOf(&work.Following, engine)
	for i, o := range operators {
		at := engine.PlaceOf(o.Node)
		e.Operators[i].Filled, e.Operators[i].Following = flowOf(&work.Filled, at), flowOf(&work.Following, at)
	}
}

// workOf counts a row of a table once in an epoch, however often its key is said.
func workOf(d *local.Done, engine *local.Engine) *api.Work {
	if d.Epochs == 0 {
		return nil
	}
	rows := int64(0)
	for at, n := range engine.Nodes() {
		if _, ok := n.(*dataflow.Scan); ok {
			rows += d.Nodes[at].In
		}
	}
	return &api.Work{Epochs: d.Epochs, Since: d.Since, Flow: api.NewFlow(rows, d.Changes),
		Reads: d.Reads, Read: d.Read, Writes: d.Writes, Written: d.Written}
}

func flowOf(d *local.Done, node int) *api.Flow {
	if d.Epochs == 0 {
		return nil
	}
	f := api.NewFlow(d.Nodes[node].In, d.Nodes[node].Out)
	return &f
}
