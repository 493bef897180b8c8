package view_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake/intaketest"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/view"
)

var runs = intaketest.NewRuns(60)

// TestCrashRuns carries random histories of two sources through a view that
// crashes between and inside all its steps, and loses its state now and then, or
// gets an old one back, or a damaged one. At every frontier record of the view,
// and in the end, it is its SQL over whole transactions; no record says what was
// said (I1, I3, I7, I10). The ids: R01 crash at every step, R02 state ahead, R03
// state behind, R04 progress beside its data, R10 replays, R11 consistency,
// R16 rebuilds.
func TestCrashRuns(t *testing.T) {
	runs.Each(10, func(seed uint64) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { crashRun(t, seed) })
	})
}

func crashRun(t *testing.T, seed uint64) {
	w := newWorld(t)
	r := &crashing{world: w, rng: rand.New(rand.NewPCG(seed, 7)), copies: []map[string]*contents{{}}}
	w.config.Log = &faultyLog{Log: w.log, crash: &r.Crash}
	w.disk.edge = r.Edge
	w.disk.check = r.neverAhead
	w.config.Limits.Rows = 1 + r.rng.IntN(5)
	w.begin()
	for range 4 + r.rng.IntN(8) {
		for range 1 + r.rng.IntN(3) {
			r.transaction()
		}
		r.live()
	}
	r.Arm(0) // no more faults
	defer func() {
		if t.Failed() {
			t.Logf("%s\nreplay: go test ./pipeline/view -run TestCrashRuns -seed %d", w.said.Take(), seed)
		}
	}()
	w.start()
	w.check()
	r.checkCuts()
}

// crashing is a world in which the view crashes.
type crashing struct {
	*world
	intaketest.Crash
	rng    *rand.Rand
	copies []map[string]*contents
}

// live is one life of the view: until it has caught up, or crashes.
func (r *crashing) live() {
	r.harm()
	r.Arm(1 + r.rng.IntN(25))
	r.start()
	for {
		moved := r.task.Moved()
		s := r.task.Status()
		if s.Shown != nil && r.isAt(s.Shown.At) {
			r.Arm(0)
			r.stop()
			break
		}
		select {
		case <-moved:
			continue
		case err := <-r.done:
			if !errors.Is(err, intaketest.ErrCrash) && !errors.Is(err, view.ErrDamaged) {
				r.t.Fatalf("the view ended with %v", err)
			}
			if look, err := r.task.Look(); err == nil && look != nil {
				r.checkLook(look) // it shows on what it had
			}
			r.Arm(0)
			r.close()
		}
		break
	}
	r.copies = append(r.copies, r.copyDisk())
}

func (r *crashing) checkLook(look *view.Look) {
	defer look.Close()
	want := r.expect(map[string]uint64{"shop": look.At["shop"].Resume.At.Seq, "billing": look.At["billing"].Resume.At.Seq})
	if got := r.print(look); got != want {
		r.t.Fatalf("after a crash it shows\n%s\nas of %s, want\n%s", got, look.At, want)
	}
}

func (r *crashing) copyDisk() map[string]*contents {
	d := map[string]*contents{}
	for hash, c := range r.disk.states {
		d[hash] = &contents{rows: maps.Clone(c.rows), progress: bytes.Clone(c.progress)}
	}
	return d
}

// harm does to the state what disks and people do.
func (r *crashing) harm() {
	switch r.rng.IntN(8) {
	case 0:
		r.disk.states = map[string]*contents{}
	case 1: // R03: an old copy comes back
		r.disk.states = r.copies[r.rng.IntN(len(r.copies))]
		r.disk.states = r.copyDisk()
	case 2:
		if c := r.disk.states["one"]; c != nil && !r.disk.aside["one"] {
			c.damaged = true
		}
	}
}

// neverAhead wants every progress that is applied to be the newest of the log
// (R02).
func (r *crashing) neverAhead(progress []byte) {
	if f := r.frontier(); !bytes.Equal(progress, f.AppendRecord(nil, nil)) {
		r.t.Errorf("the state is given progress that is not the log's: the log is at %d", f.Number)
	}
}

// transaction commits random changes in one of the sources.
func (r *crashing) transaction() {
	if r.rng.IntN(5) == 0 {
		r.recopy()
		return
	}
	if r.rng.IntN(3) == 0 {
		r.sources["billing"].Commit(r.changes(r.sources["billing"])...)
		return
	}
	r.sources["shop"].Commit(r.changes(r.sources["shop"])...)
}

// recopy has a table copied again that may have stopped before, while its source
// commits (O15).
func (r *crashing) recopy() {
	s := r.sources["shop"]
	t := s.Tables[r.rng.IntN(len(s.Tables))]
	if r.rng.IntN(2) == 0 {
		s.GiveUp(t)
		s.Commit(r.changes(s)...)
	}
	for c := s.Copy(t, fmt.Sprint("copy ", s.Seq)); ; {
		if r.rng.IntN(2) == 0 {
			s.Commit(r.changes(s)...)
		}
		if !c.Chunk(1 + r.rng.IntN(3)) {
			c.Done()
			return
		}
	}
}

func (r *crashing) changes(s *intaketest.Source) (all []pipeline.Change) {
	for range r.rng.IntN(6) {
		t := s.Tables[r.rng.IntN(len(s.Tables))]
		id, other := r.rng.IntN(6), r.rng.IntN(6)
		after := amount(id, other, r.rng.IntN(4))
		if t == customers {
			after = customer(id, []string{"Ada", "Bo"}[other%2])
		}
		switch r.rng.IntN(12) {
		case 0:
			all = append(all, truncate(t))
		case 1, 2, 3:
			all = append(all, remove(t, after))
		default:
			all = append(all, put(t, after))
		}
	}
	return all
}

// checkCuts reads the view's topic as a follower would, frontier record by
// frontier record: at each it is the view's SQL over whole transactions.
func (r *crashing) checkCuts() {
	topic := view.FrontierTopic("test", "totals")
	infos, err := r.log.Admin().Topics(context.Background(), topic, viewTopic)
	if err != nil || len(infos) != 2 {
		r.t.Fatalf("topics %v: %v", infos, err)
	}
	rows, at := table{}, int64(0)
	var fold log.Fold
	err = log.Scan(context.Background(), r.log, log.TopicPartition{Topic: topic}, infos[0].Ends[0], func(rec *log.Record) error {
		if err := fold.Apply(rec); err != nil {
			return err
		}
		f, _ := fold.Frontier()
		end := f.Offsets[log.TopicPartition{Topic: viewTopic}]
		cut := log.Ends{Start: at, Stable: end}
		at = end
		if err := log.Scan(context.Background(), r.log, log.TopicPartition{Topic: viewTopic}, cut, func(rec *log.Record) error { r.fold(rows, rec); return nil }); err != nil {
			return err
		}
		seqs, err := view.Positions(f)
		if err != nil {
			return err
		}
		want := r.expect(map[string]uint64{"shop": seqs["shop"].Seq, "billing": seqs["billing"].Seq})
		if got := printTable(rows); got != want {
			return fmt.Errorf("at frontier %d the topic is\n%s\nwant\n%s", f.Number, got, want)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// faultyLog fails writers' calls before or after their effect.
type faultyLog struct {
	log.Log
	crash *intaketest.Crash
}

func (f *faultyLog) Writer(ctx context.Context, id string) (log.Writer, error) {
	w, err := f.Log.Writer(ctx, id)
	if err != nil || id != view.WriterID("totals") {
		return w, err
	}
	return &faultyWriter{Writer: w, crash: f.crash}, nil
}

type faultyWriter struct {
	log.Writer
	crash *intaketest.Crash
}

func (w *faultyWriter) Append(ctx context.Context, recs ...log.Record) error {
	return w.crash.Around("append", func() error { return w.Writer.Append(ctx, recs...) })
}

func (w *faultyWriter) Flush(ctx context.Context) (o log.Offsets, err error) {
	err = w.crash.Around("flush", func() error { o, err = w.Writer.Flush(ctx); return err })
	return o, err
}

func (w *faultyWriter) Commit(ctx context.Context, in *log.Inputs) error {
	return w.crash.Around("commit", func() error { return w.Writer.Commit(ctx, in) })
}

// Close after a crash leaves everything as it is: nobody is there to abort.
func (w *faultyWriter) Close() error {
	if w.crash.Edge("close") != nil {
		return nil
	}
	return w.Writer.Close()
}
