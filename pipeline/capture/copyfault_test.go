package capture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/schema/registry/registrytest"
	"github.com/evertdb/evert/sources/sourcetest"
)

// TestCopyCrashRuns carries a table that is written, stopped, and copied again and
// again, with power cuts between and inside all steps. At every frontier record at
// which it is OK, a reader that went from cut to cut has what the database held there,
// and so has one that begins (O15, P12, I2, I3, I10).
func TestCopyCrashRuns(t *testing.T) {
	runs.Each(8, func(seed uint64) {
		r := &recopies{rng: rand.New(rand.NewPCG(seed, 11)), fs: vfs.NewCrashableMem(), reg: &registrytest.InMemory{}, database: sourcetest.NewDatabase("shop")}
		r.database.BatchRows, r.database.Window, r.actions = 1+r.rng.IntN(4), r.rng.IntN(4), 30
		r.past = []map[int64]string{{}}
		if err := r.run(t); err != nil {
			t.Fatalf("seed %d: %v\nreplay: go test ./pipeline/capture -run TestCopyCrashRuns -seed %d", seed, err, seed)
		}
	})
}

// recopies is a database of one table, and the disk under the log.
type recopies struct {
	rng      *rand.Rand
	fs       *vfs.MemFS
	reg      *registrytest.InMemory
	database *sourcetest.Database
	past     []map[int64]string // after each transaction
	actions  int                // left
	asked    int                // copies
	stop     bool               // the table is to be given up
	whole    int                // cuts that were compared
}

func (r *recopies) run(t *testing.T) error {
	for range 1000 {
		err := r.live(t)
		if err == nil {
			return r.check(t)
		}
		if !errors.Is(err, errCrash) {
			return err
		}
		r.fs = r.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[r.rng.IntN(3)], RNG: r.rng})
	}
	return errors.New("not through after 1000 crashes")
}

// live is one life of the process: until nothing is left to do, or a crash.
func (r *recopies) live(t *testing.T) error {
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: r.fs})
	if err != nil {
		return err
	}
	defer l.Close()
	faulty := &faultyLog{Log: l, left: 1 + r.rng.IntN(80)}
	sink := capture.New(capture.Config{Deployment: "test", Source: "shop", Connector: "postgresql", Prefix: "shop", Log: faulty, Registry: r.reg})
	stage := pipeline.Stage{
		Source: &acting{Copier: r.database.New(t).(pipeline.Copier), r: r}, Sink: sink, Transforms: []pipeline.Transform{r},
		Limits: pipeline.Limits{Rows: 1 + r.rng.IntN(9), Bytes: 1 << 20, Timeout: time.Hour, Drain: time.Second},
	}
	return stage.Run(context.Background())
}

// act does something to the database, or asks for a copy; false: nothing is left, but
// the last copy.
func (r *recopies) act(t *testing.T) bool {
	if r.actions == 0 {
		return false
	}
	r.actions--
	switch n := r.rng.IntN(8); {
	case n == 0 || r.actions == 0:
		r.asked++
		r.stop = r.stop && r.actions > 0 // the last copy is to end well
	case n == 1:
		r.stop = true
	default:
		r.commit(t)
	}
	return true
}

func (r *recopies) commit(t *testing.T) {
	now := maps.Clone(r.past[len(r.past)-1])
	var ops []sourcetest.Op
	for range 1 + r.rng.IntN(4) {
		op := sourcetest.Op{Do: pipeline.Create, ID: int64(r.rng.IntN(12)), V: fmt.Sprint(r.actions)}
		if _, there := now[op.ID]; there {
			op.Do = []pipeline.Op{pipeline.Update, pipeline.Delete}[r.rng.IntN(2)]
		}
		if ops = append(ops, op); op.Do == pipeline.Delete {
			delete(now, op.ID)
		} else {
			now[op.ID] = op.V
		}
	}
	r.database.Commit(t, ops...)
	r.past = append(r.past, now)
}

// Apply gives the table up when that is its turn.
func (r *recopies) Apply(_ context.Context, b pipeline.Batch) (pipeline.Batch, error) {
	if r.stop && len(b.Changes) > 0 && len(b.Tables) == 0 {
		r.stop = false
		b.Stopped = []pipeline.TableStop{{Table: b.Changes[0].Table, Why: &pipeline.Refusal{Code: "POISON", What: "it cannot be read"}}}
	}
	return b, nil
}

// acting is the source, which acts on its database whenever it has nothing to give.
type acting struct {
	pipeline.Copier
	r *recopies
}

func (a *acting) Next(context.Context) (pipeline.Batch, error) {
	now, cancel := context.WithCancel(context.Background())
	cancel() // what is ready is given all the same
	for {
		b, err := a.Copier.Next(now)
		if err == nil {
			return b, nil
		}
		if !a.r.act(nil) {
			return b, io.EOF
		}
		if err := a.ask(); err != nil {
			return b, err
		}
	}
}

func (a *acting) Open(ctx context.Context, from pipeline.Resume) error {
	if err := a.Copier.Open(ctx, from); err != nil {
		return err
	}
	return a.ask()
}

// ask asks for the newest copy, again where it was asked for before.
func (a *acting) ask() error {
	if a.r.asked == 0 {
		return nil
	}
	return a.Copy(context.Background(), pipeline.CopyRequest{ID: fmt.Sprint(a.r.asked), Table: "public.items"})
}

// check goes through the frontier as readers do.
func (r *recopies) check(t *testing.T) error {
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: r.fs})
	if err != nil {
		return err
	}
	defer l.Close()
	topic, tp := log.FrontierTopic("test", "shop"), log.TopicPartition{Topic: "shop.public.items"}
	infos, err := l.Admin().Topics(t.Context(), topic)
	if err != nil {
		return err
	}
	var fold log.Fold
	follower := reader{rows: map[int64]string{}}
	err = log.Scan(t.Context(), l, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(rec *log.Record) error {
		if err := fold.Apply(rec); err != nil {
			return err
		}
		f, ok := fold.Frontier()
		if !ok || f.Tables[tp.Topic].State != log.OK || bytes.Equal(rec.Key, []byte(log.ResumeKey)) {
			return nil
		}
		r.whole++
		fresh := reader{rows: map[int64]string{}}
		for who, one := range map[string]*reader{"begins": &fresh, "follows": &follower} {
			if one == &follower && r.rng.IntN(2) == 0 {
				continue // it is slow, and goes to a later one
			}
			if err := one.to(l, r.reg, tp, f); err != nil {
				return err
			}
			var place int
			fmt.Sscanf(f.Resume.At.Native, "n:%d", &place)
			if want := r.past[place]; !maps.Equal(one.rows, want) {
				return fmt.Errorf("frontier %d, transaction %d: a reader that %s has %v, want %v", f.Number, place, who, one.rows, want)
			}
		}
		return nil
	})
	f, _ := fold.Frontier()
	if err == nil && f.Tables[tp.Topic].State != log.OK {
		err = fmt.Errorf("in the end the table is %+v", f.Tables[tp.Topic])
	}
	if err == nil && r.whole < 1 {
		err = fmt.Errorf("%d cuts were whole", r.whole)
	}
	return err
}

// reader is one that has read a topic up to a cut.
type reader struct {
	rows map[int64]string
	next int64
}

// to reads up to the cut of a frontier; who begins leaves out what is superseded there.
func (r *reader) to(l log.Log, reg *registrytest.InMemory, tp log.TopicPartition, f *log.Frontier) error {
	bounds := log.Ends{Start: f.Tables[tp.Topic].From[0], Stable: f.Offsets[tp]}
	if r.next > 0 {
		bounds.Start = r.next // tombstones of what it has may lie below
	}
	r.next = bounds.Stable
	if bounds.Start >= bounds.Stable {
		return nil
	}
	return log.Scan(context.Background(), l, tp, bounds, func(rec *log.Record) error { return foldItem(r.rows, reg, rec) })
}
