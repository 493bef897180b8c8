package inspect

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
)

// lookAtSinks asks the system of every sink that can be asked, and the daemon that
// delivers to it.
func (i *inspection) lookAtSinks(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(i.file.Sinks)) {
		if i.daemon != nil {
			i.relaySink(name)
		}
		i.lookAtSink(ctx, name)
	}
}

func (i *inspection) lookAtSink(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, inspectionTime)
	defer cancel()
	_, c, err := outlets.KindOf(outlets.Connectors(), name, i.file.Sinks[name])
	var out outlets.Outlet
	if err == nil {
		out, err = c.Open(i.placeOfSink(name))
	}
	if err != nil {
		i.found = append(i.found, failures("sink "+name, err)...)
		return
	}
	asked, ok := out.(outlets.Checkable)
	if !ok {
		return
	}
	found, err := asked.Check(ctx)
	if err != nil {
		found = append(found, pipeline.Found(pipeline.Fails, pipeline.Refusal{Code: codeUnanswered, Where: "sink " + name,
			What: "it cannot be checked whole", Err: err, Mend: "see that its system and the source of its rows take connections, then run the check again"}))
	}
	i.add("", found...)
}

// placeOfSink is where a sink stands that is only looked at.
func (i *inspection) placeOfSink(name string) outlets.Place {
	var l log.Log
	if i.topics != nil {
		l = i.topics
	}
	p := outlets.PlaceOf(i.file, name, slog.New(slog.DiscardHandler), l, nil)
	p.Table = func(ctx context.Context) (*schema.Table, error) { return i.shapeOf(ctx, name) }
	p.Rejects = deliver.Stop{}
	return p
}

// shapeOf gives the table that a sink delivers, as its server has it. It is
// registry.ErrNotFound for a view, and where a table is changed on its way into the
// log.
func (i *inspection) shapeOf(ctx context.Context, sink string) (*schema.Table, error) {
	unknown := fmt.Errorf("sink %s: %w", sink, registry.ErrNotFound)
	s := i.file.Sinks[sink]
	source, delivered, ok := s.Tables()
	if !ok || s.Several() {
		return nil, unknown
	}
	schemaName, name, _ := delivered[0].Exact()
	if chain, err := steps.OfSource(i.file, source); chain != nil || err != nil {
		return nil, unknown
	}
	_, d, err := open(i.file, source)
	if err != nil {
		return nil, err
	}
	asked, ok := d.(databases.Tabled)
	if !ok {
		return nil, unknown
	}
	tables, err := asked.Tables(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if t.Schema == schemaName && t.Name == name {
			return t, nil
		}
	}
	return nil, unknown
}

// relaySink says how the daemon finds a sink.
func (i *inspection) relaySink(name string) {
	for _, s := range i.daemon.Sinks {
		if s.Name != name {
			continue
		}
		if p := s.Problem; p != nil {
			severity := pipeline.Warns
			if s.State == monitor.Refused {
				severity = pipeline.Fails
			}
			i.add("", pipeline.Found(severity, pipeline.Refusal{Code: p.Code, Where: "the daemon", What: p.Text, Mend: p.Mend}))
			continue
		}
		i.add("", pipeline.Good("the daemon", "sink "+name+" is "+string(s.State)))
	}
}
