package tables

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/commands"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/steps"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/schema/registry/registrytest"
	"github.com/evertdb/evert/sources/sourcetest"
)

// A tableStory is the stage of a source whose database needs no server.
type tableStory struct {
	*testing.T
	database *sourcetest.Database
	all      *Commands
	schemas  registry.Registry
	config   Config
	tables   *Tables // of the stage that runs; nil: none does
	end      func()
}

// tellOfTables runs a source; more is what the file says of it besides.
func tellOfTables(t *testing.T, more string) *tableStory {
	config, err := configs.Parse("evert.yaml", []byte("name: tables\nsources:\n  shop:\n    postgres: {url: 'postgres://x@localhost/x', tables: [public.*]}\n"+more), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if _, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: log.FrontierTopic("tables", "shop"), Partitions: 1, Compact: true}); err != nil {
		t.Fatal(err)
	}
	commanded := &control.Follower{Log: l, Deployment: config.Name}
	s := &tableStory{T: t, database: sourcetest.NewDatabase("shop"), schemas: &registrytest.InMemory{}}
	s.all = &Commands{File: config, Topics: l, Control: commanded, Running: func(string) *Tables { return s.tables }}
	s.config = Config{File: config, Source: "shop", Control: commanded, Log: slog.New(slog.DiscardHandler), Monitor: monitor.NewSource(monitor.Config{Name: "shop"})}
	s.run()
	t.Cleanup(func() { s.end() })
	return s
}

// run runs a stage until end is called.
func (s *tableStory) run() {
	s.Helper()
	if err := s.all.Control.Look(s.Context()); err != nil {
		s.Fatal(err)
	}
	bare := s.database.New(s)
	tables, err := New(s.config, bare)
	if err != nil {
		s.Fatal(err)
	}
	chain, err := steps.OfSource(s.all.File, "shop")
	if err != nil {
		s.Fatal(err)
	}
	sink := capture.Config{Deployment: "tables", Source: "shop", Connector: "postgresql", Prefix: "shop", Log: s.all.Topics, Registry: s.schemas, Copies: true, RecordBytes: 1000,
		Topic: func(*schema.Table) capture.Topic { return capture.Topic{} }, Events: capture.Events{Table: tables.State}}
	stage := &pipeline.Stage{Source: bare, Transforms: []pipeline.Transform{tables}, Sink: capture.New(sink), Limits: pipeline.DefaultLimits(), Events: s.config.Monitor.Events()}
	written, committed := stage.Events.Written, stage.Events.Committed
	stage.Events.Written = func(b pipeline.Batch) { written(b); tables.Wrote() }
	stage.Events.Committed = func(done pipeline.Committed) { committed(done); tables.Committed() }
	if chain != nil {
		stage.Transforms = append(stage.Transforms, chain)
	}
	s.tables = tables
	ctx, cancel := context.WithCancel(context.Background())
	var runs sync.WaitGroup
	runs.Go(func() { tables.Run(ctx) })
	runs.Go(func() { _ = stage.Run(ctx) })
	s.end = func() {
		cancel()
		runs.Wait()
		s.tables, s.end = nil, func() {}
	}
}

// commit commits a transaction, and gives its place.
func (s *tableStory) commit(ops ...sourcetest.Op) string { return s.database.Commit(s, ops...) }

// command gives a command, as the verb does.
func (s *tableStory) command(table, command string) (api.TableAnswer, error) {
	return s.all.TableCommand(s.Context(), table, api.TableCommand{Command: command, By: "ann@box"})
}

func (s *tableStory) must(table, command string) api.TableAnswer {
	s.Helper()
	answer, err := s.command(table, command)
	if err != nil {
		s.Fatalf("%s %s: %v", command, table, err)
	}
	return answer
}

// until waits until the frontier says something of a table's topic.
func (s *tableStory) until(topic string, fits func(log.TableState) bool) (state log.TableState) {
	s.Helper()
	s.frontier(func(f *log.Frontier) bool {
		state = f.Tables[topic]
		return fits(state)
	})
	return state
}

// passed waits until a transaction is committed.
func (s *tableStory) passed(place string) {
	s.Helper()
	s.frontier(func(f *log.Frontier) bool { return f.Resume.At.Native == place })
}

// frontier waits until the newest frontier fits.
func (s *tableStory) frontier(fits func(*log.Frontier) bool) {
	s.Helper()
	r, err := s.all.Topics.Reader(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	defer r.Close()
	if err := r.Assign(log.Offsets{{Topic: log.FrontierTopic("tables", "shop")}: 0}); err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	var fold log.Fold
	for {
		got, err := r.Next(ctx, 1000)
		if err != nil {
			f, _ := fold.Frontier()
			s.Fatalf("%v: the tables are %+v", err, f.Tables)
		}
		for i := range got.Records {
			if err := fold.Apply(&got.Records[i]); err != nil {
				s.Fatal(err)
			}
		}
		if f, ok := fold.Frontier(); ok && got.Next == got.Stable && fits(f) {
			return
		}
	}
}

// known waits until the stage knows something of a table.
func (s *tableStory) known(table string, fits func(log.TableState) bool) {
	s.Helper()
	t, limit := s.tables, time.After(patience)
	for {
		t.mu.Lock()
		state, moved := t.states[table], t.moved
		t.mu.Unlock()
		if fits(state) {
			return
		}
		select {
		case <-moved:
		case <-limit:
			s.Fatalf("table %s is %+v", table, state)
		}
	}
}

func isOK(s log.TableState) bool { return s.State == log.OK }

// row is a statement that writes a row, or deletes it.
func row(do pipeline.Op, id int64, v string) sourcetest.Op {
	return sourcetest.Op{Do: do, ID: id, V: v}
}

// patience bounds everything that a test waits for.
const patience = 3 * time.Minute

const itemsTopic = "shop.public.items"

// TestTableIsMendedOnce tells of a table that stops (O15): it is copied again by
// itself, and stops for good when the same error returns; evert snapshot mends it.
func TestTableIsMendedOnce(t *testing.T) {
	s := tellOfTables(t, "")
	s.commit(row(pipeline.Create, 1, "small"))
	s.until(itemsTopic, isOK)
	s.commit(row(pipeline.Create, 2, strings.Repeat("large", 1000)))
	stopped := s.until(itemsTopic, func(s log.TableState) bool { return s.State == log.Stopped && s.HasTried("RECORD_TOO_LARGE") })
	if stopped.Why.Code != "RECORD_TOO_LARGE" {
		t.Errorf("it has stopped for %+v", stopped.Why)
	}
	s.known("public.items", func(s log.TableState) bool { return s.State == log.Stopped })
	if how := s.must("shop.public.items", ""); how.State != "stopped" || how.Problem == nil || how.Problem.Code != "RECORD_TOO_LARGE" {
		t.Errorf("it is %+v", how)
	}
	s.end()
	s.run() // in another run it is not tried again either
	s.commit(row(pipeline.Delete, 2, ""), row(pipeline.Create, 3, "small"))
	if answer := s.must("shop.public.items", "snapshot"); !answer.Taken || !answer.Changed {
		t.Errorf("answered %+v", answer)
	}
	mended := s.until(itemsTopic, isOK)
	if mended.Tried != "" || mended.Asked == "" {
		t.Errorf("it is %+v", mended)
	}
	s.known("public.items", isOK)
	if st := s.config.Monitor.Status(); st.Tables[0].State != "ok" || st.Tables[0].Problem != nil {
		t.Errorf("the status is %+v", st.Tables[0])
	}
	s.end()
	s.run() // the request is done, and is not taken for a new one
	s.commit(row(pipeline.Create, 4, "small"))
	if again := s.must("shop.public.items", ""); again.Copy.ID != mended.Asked {
		t.Errorf("it is %+v", again)
	}
	f := s.until(itemsTopic, func(s log.TableState) bool { return true })
	if f.Asked != mended.Asked || f.State != log.OK {
		t.Errorf("after a restart it is %+v", f)
	}
}

// TestTablePolicies tells what people decide instead: that a table stops at once.
func TestTablePolicies(t *testing.T) {
	s := tellOfTables(t, "    on_table_error: stop_table\n")
	s.commit(row(pipeline.Create, 2, strings.Repeat("large", 1000)))
	s.until(itemsTopic, func(s log.TableState) bool { return s.State == log.Stopped })
	if id := s.tables.wants("public.items"); id != "" {
		t.Errorf("it wants %s", id)
	}
}

// TestTableRests tells of a table that is paused, over a restart, and resumed.
func TestTableRests(t *testing.T) {
	s := tellOfTables(t, "")
	s.commit(row(pipeline.Create, 1, "before"))
	s.until(itemsTopic, isOK)
	if a := s.must("shop.public.items", "pause"); !a.Changed || a.Paused.By != "ann@box" {
		t.Errorf("answered %+v", a)
	}
	s.commit(row(pipeline.Create, 2, "meanwhile"))
	paused := s.until(itemsTopic, func(s log.TableState) bool { return s.State == log.Stopped })
	if paused.Why.Code != "TABLE_PAUSED" || !strings.Contains(paused.Why.Text, "ann@box") {
		t.Errorf("it has stopped for %+v", paused.Why)
	}
	if a := s.must("shop.public.items", "pause"); a.Changed {
		t.Errorf("paused twice: %+v", a)
	}
	if _, err := s.command("shop.public.items", "snapshot"); pipeline.CodeOf(err) != "TABLE_PAUSED" {
		t.Errorf("a paused table is copied: %v", err)
	}
	s.end()
	s.run()
	s.commit(row(pipeline.Create, 3, "after a restart"))
	if a := s.must("shop.public.items", "resume"); !a.Changed || !a.Taken || a.Paused != nil {
		t.Errorf("answered %+v", a)
	}
	s.until(itemsTopic, isOK)
	if a := s.must("shop.public.items", "resume"); a.Changed {
		t.Errorf("resumed twice: %+v", a)
	}
}

// TestTableIsNotCopied tells what is refused, and where the mend is.
func TestTableIsNotCopied(t *testing.T) {
	s := tellOfTables(t, "    transforms: [{route: {to: \"'things'\", topics: [public.things]}}]\n")
	s.commit(row(pipeline.Create, 1, "a"))
	s.until("shop.public.things", isOK)
	for name, code := range map[string]pipeline.Code{
		"nowhere.public.items": "NO_SUCH_TABLE", "shop.other.items": "NO_SUCH_TABLE", "shop.items": "NO_SUCH_TABLE", "shop.public.nothing": "NO_SUCH_TABLE", "shop.public.*": "NO_SUCH_TABLE",
	} {
		if _, err := s.command(name, "snapshot"); pipeline.CodeOf(err) != code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.command("shop.public.items", "skip"); pipeline.CodeOf(err) != api.CodeBadRequest {
		t.Errorf("skip: %v", err)
	}
	a := s.must("shop.public.things", "snapshot") // by the name of what its rows become
	if a.Table != "shop.public.items" || !a.Taken {
		t.Errorf("answered %+v", a)
	}
	s.until("shop.public.things", func(s log.TableState) bool { return s.State == log.OK && s.Asked == a.Copy.ID })
	tables := s.tables
	tables.copier = nil
	if err := tables.copyable("public.items"); pipeline.CodeOf(err) != "TABLE_NOT_COPIED" {
		t.Errorf("a source that does not copy: %v", err)
	}
	other := &schema.Table{Schema: "public", Name: "others", Columns: tables.tables["public.items"].Columns, Key: []int{0}}
	if err := tables.know(t.Context(), []*schema.Table{other}); err != nil {
		t.Fatal(err)
	}
	tables.copier = s.database.New(t).(pipeline.Copier)
	if err := tables.copyable("public.items"); pipeline.CodeOf(err) != "TRANSFORM_COPY" {
		t.Errorf("a table that is merged: %v", err)
	}
	if err := commands.NotSkipped("shop.public.items"); !strings.Contains(err.Error(), "evert snapshot shop.public.items") || !strings.Contains(err.Error(), "on_oversize: dead_letter") {
		t.Errorf("skipped: %v", err)
	}
}
