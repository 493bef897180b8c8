package captures

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/gate"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/cmd/evert/tables"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry/registrytest"
	"github.com/evertdb/evert/sources/sourcetest"
)

// A serverless database is one that needs no server.
type serverless struct {
	databases.Database
	of *sourcetest.Database
}

// Source implements databases.Database.
func (d serverless) Source() databases.Source {
	return quiet{d.of.New(nil).(pipeline.Copier)}
}

// quiet is its source, of which nothing more is to be known.
type quiet struct{ pipeline.Copier }

func (quiet) Reread(context.Context, *schema.Table, schema.Row) (schema.Row, error) { return nil, nil }
func (quiet) Facts() monitor.Facts                                                  { return monitor.Facts{} }
func (quiet) Hasten(bool)                                                           {}
func (quiet) Separate(bool)                                                         {}

// A stopStory is a capture of such a database, with rows too large for their topic.
type stopStory struct {
	*testing.T
	*Capture
	of    *sourcetest.Database
	ended chan error // of the stage
	end   func()
}

func tellOfStops(t *testing.T, more string) *stopStory {
	config, err := configs.Parse("evert.yaml", []byte("name: stops\nsources:\n  shop:\n    postgres: {url: 'postgres://x@localhost/x', tables: [public.*]}\n"+more), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	config.Limits.RecordBytes = 1000
	l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if _, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: log.FrontierTopic("stops", "shop"), Partitions: 1, Compact: true}); err != nil {
		t.Fatal(err)
	}
	s := &stopStory{T: t, of: sourcetest.NewDatabase("shop"), end: func() {}}
	s.Capture = &Capture{
		Config: Config{File: config, Topics: &storage.Log{Log: l}, Control: &control.Follower{Log: l, Deployment: config.Name}, Registry: &registrytest.InMemory{}},
		name:   "shop", kind: databases.Connector{Names: "postgresql"}, database: serverless{of: s.of}, log: slog.New(slog.DiscardHandler), gate: gate.New(), Monitor: monitor.NewSource(monitor.Config{Name: "shop"}),
	}
	t.Cleanup(func() { s.end() })
	return s
}

// run runs a stage until end is called.
func (s *stopStory) run() {
	s.Helper()
	if err := s.Control.Look(s.Context()); err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.stage(ctx); close(ended) }()
	s.ended = ended
	s.end = func() {
		cancel()
		for range ended {
		}
		s.end = func() {}
	}
}

// write commits a row.
func (s *stopStory) write(do pipeline.Op, id int64, v string) {
	s.of.Commit(s.T, sourcetest.Op{Do: do, ID: id, V: v})
}

// must gives a command, as the verb does.
func (s *stopStory) must(command string) api.TableAnswer {
	s.Helper()
	all := &tables.Commands{File: s.File, Topics: s.Topics, Control: s.Control, Running: func(string) *tables.Tables { return s.Tables() }}
	a, err := all.TableCommand(s.Context(), "shop.public.items", api.TableCommand{Command: command, By: "ann@box"})
	if err != nil {
		s.Fatalf("%s: %v", command, err)
	}
	return a
}

// until waits until the frontier says something of the table.
func (s *stopStory) until(fits func(log.TableState) bool) {
	s.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		fold, err := log.ReadFrontier(s.Context(), s.Topics, log.FrontierTopic("stops", "shop"))
		if err != nil {
			s.Fatal(err)
		}
		if f, ok := fold.Frontier(); ok && fits(f.Tables["shop.public.items"]) {
			return
		}
		select {
		case <-tick.C:
		case err := <-s.ended:
			s.Fatalf("the stage has ended: %v", err)
		case <-s.Context().Done():
			s.Fatal("it does not come")
		}
	}
}

func isOK(s log.TableState) bool      { return s.State == log.OK }
func isStopped(s log.TableState) bool { return s.State == log.Stopped }

// TestFailFastEndsOnce tells of --fail-fast: it ends with a table that stops, and not
// again for the same stop, nor for a table that people let rest; so it can be mended.
func TestFailFastEndsOnce(t *testing.T) {
	s := tellOfStops(t, "    on_table_error: stop_table\n")
	s.Capture.FailFast = true
	s.run()
	s.write(pipeline.Create, 1, strings.Repeat("large", 1000))
	if err := <-s.ended; pipeline.CodeOf(err) != "RECORD_TOO_LARGE" {
		t.Fatalf("it has ended with %v", err)
	}
	s.end()
	s.run()
	s.write(pipeline.Delete, 1, "")
	s.write(pipeline.Create, 2, "small")
	s.until(isStopped)
	a := s.must("snapshot")
	s.until(func(s log.TableState) bool { return isOK(s) && s.Asked == a.Copy.ID })
	s.must("pause")
	s.write(pipeline.Create, 3, "small")
	s.until(isStopped)
	s.must("resume")
	s.until(isOK)
}

// TestStopThatMendsItselfIsNoError tells what the log says of a table that is copied again
// by itself, and of one that stays where it is.
func TestStopThatMendsItselfIsNoError(t *testing.T) {
	var lines bytes.Buffer
	s := tellOfStops(t, "")
	s.log = slog.New(slog.NewTextHandler(&lines, nil))
	s.run()
	s.write(pipeline.Create, 1, "small")
	s.until(isOK)
	s.write(pipeline.Create, 2, strings.Repeat("large", 1000))
	s.until(func(s log.TableState) bool { return isStopped(s) && s.HasTried("RECORD_TOO_LARGE") })
	s.end()
	said := lines.String()
	itself, stays := strings.Index(said, `level=WARN msg="a table has stopped, and is copied again by itself`), strings.Index(said, `level=ERROR msg="a table has stopped; the others go on"`)
	if itself < 0 || stays < itself || strings.Count(said, "a table has stopped") != 2 {
		t.Errorf("the log says:\n%s", said)
	}
}

// TestUnreadCommands tells of records of the control topic that a newer release wrote: the
// source is captured, and its tables are commanded, as before (I8).
func TestUnreadCommands(t *testing.T) {
	s := tellOfStops(t, "")
	store := &log.Store{Log: s.Topics, Topic: log.ControlTopic("stops")}
	if err := store.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"sink/hook", "table/shop.public.items", "table/other.public.t", "reset/shop", "journal/1"} {
		if _, err := store.Append(t.Context(), struct{ Key, Value []byte }{[]byte(key), []byte("[7]")}); err != nil {
			t.Fatal(err)
		}
	}
	store.Close()
	s.run()
	s.write(pipeline.Create, 1, "small")
	s.until(isOK)
	a := s.must("snapshot")
	s.until(func(s log.TableState) bool { return isOK(s) && s.Asked == a.Copy.ID })
}

// TestStageWithoutLog tells of a log that does not say what was commanded: the stage ends
// with its error, to be tried again.
func TestStageWithoutLog(t *testing.T) {
	s := tellOfStops(t, "")
	s.Control = &control.Follower{Log: deafLog{s.Topics}, Deployment: "stops"}
	if err := s.stage(t.Context()); !errors.Is(err, errDeaf) {
		t.Errorf("it has ended with %v", err)
	}
}

var errDeaf = errors.New("the log does not answer")

type deafLog struct{ log.Log }

func (deafLog) Admin() log.Admin { return deafAdmin{} }

type deafAdmin struct{ log.Admin }

func (deafAdmin) Topics(context.Context, ...string) ([]log.TopicInfo, error) { return nil, errDeaf }
