package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/sinks/sinktest"
)

// A world is a log with one source, and a sink of its table into a system in
// memory.
type world struct {
	t        testing.TB
	log      log.Log
	reg      *memRegistry
	source   *upstream
	system   *sinktest.MemoryTarget
	config   deliver.Config
	delivery *deliver.Delivery
	cancel   context.CancelFunc
	done     chan error

	mu   sync.Mutex
	said []string // by the events, for stories
	told chan struct{}
}

func newWorld(t testing.TB) *world {
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return newWorldOn(t, l)
}

func newWorldOn(t testing.TB, l log.Log) *world {
	w := &world{t: t, log: l, reg: &memRegistry{}, system: sinktest.NewMemoryTarget(), told: make(chan struct{}, 1)}
	w.source = w.upstream("shop", capture.Topic{})
	w.config = deliver.Config{
		Deployment: "test", Name: "index", Of: "source shop", Owner: "shop", Topic: itemsTopic, Definition: "one", Log: l, Registry: w.reg,
		Target: func() (deliver.Target, error) { return w.system.New(t), nil },
		Limits: deliver.Limits{Interval: time.Microsecond, IdleCommit: time.Hour},
	}
	t.Cleanup(w.kill)
	return w
}

var itemsTopic = log.TableTopic("shop", "public", "items")

// start runs the sink until stop, or until it fails.
func (w *world) start() *deliver.Delivery {
	w.stop()
	c := w.config
	c.Events = w.events()
	w.delivery = deliver.New(c)
	w.again()
	return w.delivery
}

// again runs the same delivery once more, as its supervisor does.
func (w *world) again() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done = cancel, make(chan error, 1)
	go func(d *deliver.Delivery, done chan error) {
		done <- d.Run(ctx)
		close(done)
	}(w.delivery, w.done)
}

// stop ends the sink as SIGTERM does.
func (w *world) stop() {
	w.t.Helper()
	if w.delivery == nil {
		return
	}
	w.cancel()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		w.t.Fatalf("the sink ended with %v", err)
	}
	w.close()
}

func (w *world) close() {
	w.delivery.Close()
	w.delivery = nil
}

func (w *world) kill() {
	w.source.sink.Close()
	if w.delivery != nil {
		w.cancel()
		<-w.done
		w.delivery.Close()
	}
}

// ended waits until a Run of the sink ends by itself, and gives why.
func (w *world) ended() error {
	w.t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-time.After(30 * time.Second):
		w.t.Fatalf("the sink does not stop: %+v\n%s", w.delivery.Status(), w.story())
		return nil
	}
}

func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, fmt.Sprintf(format, args...))
	select {
	case w.told <- struct{}{}:
	default:
	}
}

func (w *world) events() deliver.Events {
	return deliver.Events{
		Opened: func(o deliver.Opening) {
			if o.Filling {
				w.tell("fills")
				return
			}
			w.tell("goes on at %d", o.At.Seq)
		},
		Held: func(why *pipeline.Refusal) {
			if why == nil {
				w.tell("goes on")
				return
			}
			w.tell("held: %s", why.What)
		},
		Filled:   func(at pipeline.Position, _ deliver.Progress) { w.tell("whole at %d", at.Seq) },
		Renewing: func(why string) { w.tell("anew: %s", why) },
	}
}

// story gives what was said since it was last asked.
func (w *world) story() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := strings.Join(w.said, "\n")
	w.said = nil
	return text
}

// wantStory waits until all of it was told: what is seen comes before what is said.
func (w *world) wantStory(lines ...string) {
	w.t.Helper()
	limit, got := time.After(30*time.Second), ""
	for want := strings.Join(lines, "\n"); ; {
		w.mu.Lock()
		got = strings.Join(w.said, "\n")
		w.mu.Unlock()
		if got == want {
			w.story()
			return
		}
		select {
		case <-w.told:
		case <-limit:
			w.t.Fatalf("the story is\n%s\nwant\n%s", got, want)
		}
	}
}

// until waits for a status.
func (w *world) until(what string, is func(deliver.Status) bool) {
	w.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		moved := w.delivery.Moved()
		if is(w.delivery.Status()) {
			return
		}
		select {
		case <-moved:
		case err := <-w.done:
			w.t.Fatalf("waiting until %s: the sink ended with %v\n%s", what, err, w.story())
		case <-limit:
			w.t.Fatalf("waiting until %s: %+v\n%s", what, w.delivery.Status(), w.story())
		}
	}
}

// caughtUp waits until the system has everything that was committed.
func (w *world) caughtUp() {
	w.t.Helper()
	w.until("it has caught up", func(s deliver.Status) bool { return s.At.Seq == w.source.seq && s.At.Native == w.source.native() })
}

// check compares the system with the source.
func (w *world) check() {
	w.t.Helper()
	w.caughtUp()
	w.want(w.source.history[w.source.seq])
}

func (w *world) want(want rows) {
	w.t.Helper()
	if got := rows(w.system.Rows(w.t)); !maps.Equal(got, want) {
		w.t.Fatalf("the system holds %v, want %v\n%s", got, want, w.story())
	}
}

// rows are those of items, by id.
type rows map[int64]string

// upstream is a source: its capture, and what its database held after each
// transaction.
type upstream struct {
	t       testing.TB
	config  capture.Config
	sink    *capture.Sink
	table   *schema.Table
	seq     uint64
	history map[uint64]rows
	life    int             // counts the resets
	past    map[string]rows // of all lives, by native position
}

func (w *world) upstream(name string, topic capture.Topic) *upstream {
	s := &upstream{t: w.t, table: sinktest.Items, history: map[uint64]rows{0: {}}, past: map[string]rows{}}
	s.config = capture.Config{Deployment: "test", Source: name, Connector: "postgresql", Prefix: name, Version: "0", Log: w.log, Registry: w.reg, VoidBudget: 1, // tombstones stay owed for long
		Now: func() time.Time { return time.Unix(1_000_000, 0) }, Topic: func(*schema.Table) capture.Topic { return topic }}
	s.open()
	return s
}

func (s *upstream) open() {
	s.t.Helper()
	if s.sink != nil {
		s.sink.Close()
	}
	s.sink = capture.New(s.config)
	if _, err := s.sink.Open(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// begin commits the empty table.
func (s *upstream) begin() {
	s.t.Helper()
	if err := s.sink.Write(context.Background(), pipeline.Batch{Tables: []*schema.Table{s.table}}); err != nil {
		s.t.Fatal(err)
	}
	s.commit()
}

// commit carries one transaction.
func (s *upstream) commit(changes ...pipeline.Change) {
	s.t.Helper()
	s.write(0, changes...)
	s.end(changes...)
}

// native is the native position of the last transaction.
func (s *upstream) native() string { return fmt.Sprintf("%d/%d", s.life, s.seq) }

func (s *upstream) tx() *pipeline.Tx {
	return &pipeline.Tx{Position: pipeline.Position{Seq: s.seq + 1, Native: fmt.Sprintf("%d/%d", s.life, s.seq+1)}, ID: 700 + s.seq}
}

func (s *upstream) write(first uint32, changes ...pipeline.Change) {
	s.t.Helper()
	tx := s.tx()
	for i := range changes {
		changes[i].Tx, changes[i].Row, changes[i].Table = tx, first+uint32(i), s.table
	}
	if err := s.sink.Write(context.Background(), pipeline.Batch{Changes: changes}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *upstream) end(changes ...pipeline.Change) {
	s.t.Helper()
	if err := s.sink.Commit(context.Background(), pipeline.Resume{At: s.tx().Position, State: []byte("state")}); err != nil {
		s.t.Fatal(err)
	}
	now := maps.Clone(s.history[s.seq])
	for i := range changes {
		follow(now, &changes[i])
	}
	s.seq++
	s.history[s.seq] = now
	s.past[s.native()] = now
}

// part commits inside the open transaction, behind so many of its rows.
func (s *upstream) part(written int) {
	s.t.Helper()
	at := pipeline.Resume{At: pipeline.Position{Seq: s.seq, Native: s.native()}, Rows: uint64(written), State: []byte("half")}
	if err := s.sink.Commit(context.Background(), at); err != nil {
		s.t.Fatal(err)
	}
}

func follow(now rows, c *pipeline.Change) {
	if c.Before != nil {
		delete(now, c.Before[0].Int())
	}
	if c.After != nil {
		v := "NULL"
		if !c.After[1].IsNull() {
			v = string(c.After[1].Ref())
		}
		now[c.After[0].Int()] = v
	}
	if c.Op == pipeline.Truncate {
		clear(now)
	}
}

// reset makes the source begin anew: another incarnation, over the same topic or a
// new one.
func (s *upstream) reset(topics ...string) {
	s.t.Helper()
	s.sink.Close()
	if err := s.config.Log.Admin().Delete(context.Background(), append(topics, log.FrontierTopic("test", "shop"))...); err != nil {
		s.t.Fatal(err)
	}
	s.seq, s.history = 0, map[uint64]rows{0: {}}
	s.life++
	s.open()
	s.begin()
}

func row(id int, v string) schema.Row {
	return schema.Row{schema.Int(int64(id)), schema.Text([]byte(v))}
}

func put(id int, v string) pipeline.Change {
	return pipeline.Change{Op: pipeline.Create, After: row(id, v)}
}

func remove(id int) pipeline.Change {
	return pipeline.Change{Op: pipeline.Delete, Before: row(id, "")}
}

func null(id int) pipeline.Change {
	return pipeline.Change{Op: pipeline.Create, After: schema.Row{schema.Int(int64(id)), schema.Null()}}
}

func truncate() pipeline.Change { return pipeline.Change{Op: pipeline.Truncate} }

// sneak writes a record into the table topic under the source's next frontier, and
// gives where it lies.
func (w *world) sneak(r log.Record) string {
	w.t.Helper()
	r.TopicPartition = log.TopicPartition{Topic: itemsTopic}
	infos, err := w.log.Admin().Topics(context.Background(), itemsTopic)
	if err != nil {
		w.t.Fatal(err)
	}
	writer, err := w.log.Writer(context.Background(), "sneak")
	if err != nil {
		w.t.Fatal(err)
	}
	defer writer.Close()
	if err := errors.Join(writer.Append(context.Background(), r), writer.Commit(context.Background(), nil)); err != nil {
		w.t.Fatal(err)
	}
	w.source.commit(put(9, "behind it"))
	return fmt.Sprintf("%s/0 offset %d", itemsTopic, infos[0].Ends[0].Stable)
}

// memRegistry gives ids in the order of registration and outlives every crash.
type memRegistry struct {
	mu     sync.Mutex
	texts  []string
	latest map[string]int
}

func (m *memRegistry) Register(_ context.Context, subject, text string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.latest == nil {
		m.latest = map[string]int{}
	}
	id := slices.Index(m.texts, text) + 1
	if id == 0 {
		m.texts = append(m.texts, text)
		id = len(m.texts)
	}
	m.latest[subject] = id
	return id, nil
}

func (m *memRegistry) Lookup(ctx context.Context, subject, text string) (int, error) {
	return m.Register(ctx, subject, text)
}

func (m *memRegistry) Latest(_ context.Context, subject string) (int, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.latest[subject]
	if !ok {
		return 0, "", registry.ErrNotFound
	}
	return id, m.texts[id-1], nil
}

func (m *memRegistry) Delete(_ context.Context, subject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.latest, subject)
	return nil
}

func (m *memRegistry) Schema(_ context.Context, id int) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id < 1 || id > len(m.texts) {
		return "", fmt.Errorf("schema %d: %w", id, registry.ErrNotFound)
	}
	return m.texts[id-1], nil
}
