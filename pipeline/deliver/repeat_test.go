package deliver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/pipeline/transform"
)

// listeners are told of changes, and cannot be made to forget. What one knows it knows by
// the rule of package event: the highest rank of each key.
type listeners struct {
	mu     sync.Mutex
	resume pipeline.Resume
	told   []string          // in order
	texts  map[string]string // by rank and key
	knows  index
	faults []string
	events *event.Encoder
}

func newListeners() *listeners {
	return &listeners{events: event.New(event.Origin{Topic: itemsTopic, From: itemsTopic}), texts: map[string]string{}, knows: index{}}
}

type listenersTarget struct{ l *listeners }

func (t *listenersTarget) Open(context.Context) (pipeline.Resume, error) {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	return t.l.resume, nil
}

func (t *listenersTarget) Write(_ context.Context, b pipeline.Batch) error {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	for i := range b.Changes {
		t.l.hear(&b.Changes[i])
	}
	return nil
}

func (l *listeners) hear(c *pipeline.Change) {
	key, text := string(l.events.AppendKey(nil, c)), string(l.events.Append(nil, c, false))
	l.told = append(l.told, text)
	name := fmt.Sprint(c.Rank, " ", key)
	if before, again := l.texts[name]; again && before != text {
		l.faults = append(l.faults, fmt.Sprintf("told again otherwise:\n%s\n%s", before, text))
	}
	l.texts[name] = text
	h := held{version: int64(c.Rank), gone: c.Op == pipeline.Delete}
	if !h.gone {
		var all []string
		for i, v := range c.After {
			all = append(all, string(c.Table.Columns[i].Type.AppendText(nil, v)))
		}
		h.row = strings.Join(all, " ")
	}
	if c.Rank == 0 {
		l.faults = append(l.faults, "without a rank: "+text)
	}
	if l.knows[key].version < h.version {
		l.knows[key] = h
	}
}

func (t *listenersTarget) Commit(_ context.Context, at pipeline.Resume) error {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	at.State = slices.Clone(at.State)
	t.l.resume = at
	return nil
}

func (t *listenersTarget) Renew(context.Context) error {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	t.l.resume, t.l.texts, t.l.knows = pipeline.Resume{}, map[string]string{}, index{}
	return nil
}

func (t *listenersTarget) Close() error { return nil }

// newTelling is a world whose sink tells listeners of what transforms make of old rows.
func newTelling(t *testing.T, specs ...transform.Spec) (*shaped, *listeners) {
	w, l := newShaped(t, false, specs...), newListeners()
	w.config.OldRows.Repeats = true
	w.config.Target = func() (deliver.Target, error) { return &listenersTarget{l}, nil }
	return w, l
}

// heard wants what was told since it was last asked, without the places.
func (w *shaped) heard(l *listeners, want ...string) {
	w.t.Helper()
	w.caughtUp()
	l.mu.Lock()
	defer l.mu.Unlock()
	var got []string
	for _, text := range l.told {
		head, _, _ := strings.Cut(text, `,"from"`)
		got = append(got, strings.NewReplacer(`{"op":"`, "", `","key":{`, " ", `},"row":`, " ", `"`, "").Replace(head))
	}
	l.told = nil
	if !slices.Equal(got, want) {
		w.t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, fault := range l.faults {
		w.t.Error(fault)
	}
}

// TestTelling tells what insert, update, delete and change of key become for a sink that
// tells of changes, by each step that needs old rows.
func TestTelling(t *testing.T) {
	t.Run("rekey", func(t *testing.T) {
		w, l := newTelling(t, rekeyed())
		w.source.Begin()
		w.source.Commit(put(1, "a"), put(2, "b"))
		w.start()
		w.heard(l, "upsert v:a {id:1,v:a}", "upsert v:b {id:2,v:b}")
		w.source.Commit(put(1, "b"), put(2, "a"), put(3, "c")) // they exchange their keys
		w.heard(l, "delete v:a null", "delete v:b null", "upsert v:b {id:1,v:b}", "upsert v:a {id:2,v:a}", "upsert v:c {id:3,v:c}")
		w.source.Commit(remove(3), put(1, "b"))
		w.heard(l, "delete v:c null", "upsert v:b {id:1,v:b}")
	})
	t.Run("drop_unchanged", func(t *testing.T) {
		w, l := newTelling(t, transform.Spec{Step: transform.DropUnchanged{}})
		w.source.Begin()
		w.source.Commit(put(1, "a"))
		w.start()
		w.heard(l, "upsert id:1 {id:1,v:a}")
		w.source.Commit(put(1, "a"))
		w.heard(l)
		w.source.Commit(put(1, "b"))
		w.heard(l, "upsert id:1 {id:1,v:b}")
		w.source.Commit(remove(1))
		w.heard(l, "delete id:1 null")
	})
}

// TestTellingUnnested is TestTelling for the elements of a row.
func TestTellingUnnested(t *testing.T) {
	w, l := newTelling(t, unnested()...)
	w.source.Begin()
	w.source.Commit(put(1, "[1,2]"))
	w.start()
	w.until("it is filled", func(s deliver.Status) bool { return s.At.Seq == w.source.Seq })
	before := len(l.take())
	w.source.Commit(put(1, "[3]"))
	w.until("the list is shorter", func(s deliver.Status) bool { return s.At.Seq == w.source.Seq })
	told := l.take()
	if before != 2 || len(told) != 2 || !strings.HasPrefix(told[0], `{"op":"delete"`) || !strings.HasPrefix(told[1], `{"op":"upsert"`) {
		t.Errorf("filled with %d events, then told\n%s", before, strings.Join(told, "\n"))
	}
	w.source.Commit(remove(1))
	w.until("the row is gone", func(s deliver.Status) bool { return s.At.Seq == w.source.Seq })
	if told := l.take(); len(told) != 1 || !strings.HasPrefix(told[0], `{"op":"delete"`) {
		t.Errorf("of a row that is gone it told\n%s", strings.Join(told, "\n"))
	}
}

func (l *listeners) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told
	l.told = nil
	return told
}

// TestTellingCrash carries random histories through a sink that tells of changes with
// rekey and crashes between and inside all its steps: what is told again has the same
// bytes, and who goes by the ranks knows in the end every row under its key, and none
// that is gone (I1, I2, I10).
func TestTellingCrash(t *testing.T) {
	runs.Each(8, func(seed uint64) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { tellingRun(t, seed) })
	})
}

func tellingRun(t *testing.T, seed uint64) {
	w, l := newTelling(t, rekeyed())
	w.crashes(seed, rand.New(rand.NewPCG(seed, 14)), &listenersTarget{l})
	w.caughtUp()
	w.stop()
	for _, fault := range l.faults {
		t.Error(fault)
	}
	want := map[string]string{}
	for id, v := range w.now() {
		want[fmt.Sprintf(`{"v":%q}`, v)] = fmt.Sprint(id, " ", v)
	}
	for key, h := range l.knows {
		if !h.gone && want[key] != h.row {
			t.Errorf("it knows %s as %q, want %q", key, h.row, want[key])
		}
	}
	for key, row := range want {
		if h := l.knows[key]; h.gone || h.row != row {
			t.Errorf("it knows %s as %+v, want %q", key, h, row)
		}
	}
}
