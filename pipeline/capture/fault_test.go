package capture_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema/registry/registrytest"
)

var runs = intaketest.NewRuns(40)

// TestCrashRuns carries random histories through the whole road, stage, sink
// and embedded log, on a file system that loses power: of what was not synced
// all, half or nothing is left. In the end every row of every transaction is in
// its topic once and in order, and at every frontier record only whole
// transactions are (I1, I2, I3, I4, I10; O02 power loss, K05 zombie writers).
func TestCrashRuns(t *testing.T) {
	runs.Each(8, func(seed uint64) {
		if err := newHistory(seed).run(); err != nil {
			t.Fatalf("seed %d: %v\nreplay: go test ./pipeline/capture -run TestCrashRuns -seed %d", seed, err, seed)
		}
	})
}

// history is what the upstream committed, and the disk under the log.
type history struct {
	rng   *rand.Rand
	fs    *vfs.MemFS
	txs   [][]pipeline.Change
	acked uint64
	reg   *registrytest.InMemory
}

func newHistory(seed uint64) *history {
	h := &history{rng: rand.New(rand.NewPCG(seed, 2)), fs: vfs.NewCrashableMem(), reg: &registrytest.InMemory{}}
	for range 5 + h.rng.IntN(30) {
		h.txs = append(h.txs, h.transaction())
	}
	return h
}

// transaction makes changes of random keys; the row's number goes in the total.
func (h *history) transaction() []pipeline.Change {
	var changes []pipeline.Change
	for range h.rng.IntN(12) {
		id := h.rng.IntN(9)
		switch h.rng.IntN(6) {
		case 0:
			changes = append(changes, remove(orders, order(id, 0)))
		case 1:
			changes = append(changes, update(people, nil, person(id, "Bo", "b")))
		case 2, 3:
			changes = append(changes, create(people, person(id, "Ada", "a")))
		default:
			changes = append(changes, create(orders, order(id, h.rng.IntN(100))))
		}
	}
	return changes
}

// run makes the road anew after every crash until the history is through.
func (h *history) run() error {
	for range 1000 {
		err := h.live()
		if err == nil {
			return h.check()
		}
		if !errors.Is(err, errCrash) {
			return err
		}
		h.fs = h.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[h.rng.IntN(3)], RNG: h.rng})
	}
	return errors.New("not through after 1000 crashes")
}

var errCrash = errors.New("crash")

// live is one life of the process: until the history is through, or a crash.
func (h *history) live() error {
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: h.fs})
	if err != nil {
		return err
	}
	defer l.Close()
	faulty := &faultyLog{Log: l, left: 1 + h.rng.IntN(60)}
	sink := capture.New(capture.Config{Deployment: "test", Source: "shop", Connector: "postgresql", Prefix: "shop", Log: faulty, Registry: h.reg})
	stage := pipeline.Stage{
		Source: &replay{h: h}, Sink: sink,
		Limits: pipeline.Limits{Rows: 1 + h.rng.IntN(20), Bytes: 1 << 20, Timeout: time.Hour, Drain: time.Second},
	}
	return stage.Run(context.Background())
}

// check reads the topics as a foreign reader would, and then at every frontier.
func (h *history) check() error {
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: h.fs})
	if err != nil {
		return err
	}
	defer l.Close()
	seen := map[string][]place{}
	for _, topic := range []string{peopleTopic, ordersTopic} {
		if seen[topic], err = places(l, topic); err != nil {
			return err
		}
		if err := h.checkTopic(topic, seen[topic]); err != nil {
			return err
		}
	}
	return h.checkCuts(l, seen)
}

// place is a record's offset and its row's place.
type place struct {
	offset int64
	pos    log.Pos
}

func places(l log.Log, topic string) ([]place, error) {
	infos, err := l.Admin().Topics(context.Background(), topic)
	if err != nil || len(infos) == 0 {
		return nil, err
	}
	var all []place
	err = log.Scan(context.Background(), l, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(r *log.Record) error {
		pos, err := log.ParsePos(r.Find(log.PosHeader))
		if n := len(all); n > 0 && r.Value == nil && all[n-1].pos == pos {
			return err // the tombstone behind its delete
		}
		all = append(all, place{r.Offset, pos})
		return err
	})
	return all, err
}

// checkTopic wants the rows of every transaction once, in order.
func (h *history) checkTopic(topic string, got []place) error {
	i := 0
	for t, changes := range h.txs {
		for row, c := range changes {
			if log.TableTopic("shop", c.Table.Schema, c.Table.Name) != topic {
				continue
			}
			want := log.Pos{Seq: uint64(t + 1), Row: uint64(row)}
			if i == len(got) || got[i].pos.Seq != want.Seq || got[i].pos.Row != want.Row {
				return fmt.Errorf("%s: record %d of %d is not row %d of transaction %d", topic, i, len(got), row, t+1)
			}
			i++
		}
	}
	if i != len(got) {
		return fmt.Errorf("%s: %d records, %d rows", topic, len(got), i)
	}
	return nil
}

// checkCuts wants, below the offsets of every frontier record that is left,
// exactly the rows of the transactions up to its position.
func (h *history) checkCuts(l log.Log, seen map[string][]place) error {
	topic := log.FrontierTopic("test", "shop")
	infos, err := l.Admin().Topics(context.Background(), topic)
	if err != nil {
		return err
	}
	var fold log.Fold
	return log.Scan(context.Background(), l, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(r *log.Record) error {
		if err := fold.Apply(r); err != nil {
			return err
		}
		f, ok := fold.Frontier()
		if !ok {
			return nil
		}
		for topic, all := range seen {
			cut := f.Offsets[log.TopicPartition{Topic: topic}]
			for _, p := range all {
				if (p.offset < cut) != (p.pos.Seq <= f.Resume.At.Seq) {
					return fmt.Errorf("frontier %d at transaction %d cuts %s at %d, but row %d of transaction %d is at %d",
						f.Number, f.Resume.At.Seq, topic, cut, p.pos.Row, p.pos.Seq, p.offset)
				}
			}
		}
		return nil
	})
}

// replay is a source over a history, which forgets what was acknowledged.
type replay struct {
	h    *history
	seq  int // transactions read
	rows int // of the next one
	end  pipeline.Resume
}

func (r *replay) Open(_ context.Context, from pipeline.Resume) error {
	r.seq, r.rows = int(from.At.Seq), int(from.Rows)
	if from.At.Seq < r.h.acked {
		return fmt.Errorf("goes on from %d, but %d was acknowledged: rows are lost", from.At.Seq, r.h.acked)
	}
	return nil
}

func (r *replay) Next(context.Context) (pipeline.Batch, error) {
	if r.seq == len(r.h.txs) {
		return pipeline.Batch{}, io.EOF
	}
	all := r.h.txs[r.seq]
	tx := &pipeline.Tx{Position: pipeline.Position{Seq: uint64(r.seq + 1), Native: fmt.Sprint(r.seq + 1)}}
	n := min(len(all)-r.rows, 1+r.h.rng.IntN(5))
	if r.seq == 0 {
		n = len(all) // stands for the snapshot: no part of it is a place to go on from
	}
	var b pipeline.Batch
	for i := range n {
		c := all[r.rows+i]
		c.Tx, c.Row = tx, uint32(r.rows+i)
		b.Changes = append(b.Changes, c)
	}
	r.rows += n
	r.end = pipeline.Resume{At: pipeline.Position{Seq: uint64(r.seq), Native: fmt.Sprint(r.seq)}, Rows: uint64(r.rows)}
	if r.rows == len(all) {
		r.seq, r.rows = r.seq+1, 0
		r.end = pipeline.Resume{At: tx.Position}
	}
	b.End = &r.end
	return b, nil
}

func (r *replay) Ack(_ context.Context, p pipeline.Position) error {
	r.h.acked = max(r.h.acked, p.Seq)
	return nil
}
func (r *replay) Reached(have, want string) (bool, error) { return have >= want, nil }
func (r *replay) Close() error                            { return nil }

// faultyLog crashes at the left-th call of a writer, before or after its effect.
type faultyLog struct {
	log.Log
	left int
}

func (f *faultyLog) Writer(ctx context.Context, id string) (log.Writer, error) {
	w, err := f.Log.Writer(ctx, id)
	return &faultyWriter{Writer: w, Index: w.(log.Index), f: f}, err
}

type faultyWriter struct {
	log.Writer
	log.Index
	f *faultyLog
}

func (w *faultyWriter) edge(effect func() error) error {
	w.f.left--
	if w.f.left == 0 {
		return errCrash
	}
	err := effect()
	if w.f.left--; w.f.left == 0 {
		return errCrash
	}
	return err
}

func (w *faultyWriter) Append(ctx context.Context, recs ...log.Record) error {
	return w.edge(func() error { return w.Writer.Append(ctx, recs...) })
}

func (w *faultyWriter) Flush(ctx context.Context) (o log.Offsets, err error) {
	err = w.edge(func() error { o, err = w.Writer.Flush(ctx); return err })
	return o, err
}

func (w *faultyWriter) Commit(ctx context.Context, in *log.Inputs) error {
	return w.edge(func() error { return w.Writer.Commit(ctx, in) })
}

// Close after a crash leaves everything as it is: nobody is there to abort.
func (w *faultyWriter) Close() error {
	if w.f.left <= 0 {
		return nil
	}
	return w.Writer.Close()
}
