package bleve_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/bleve"
	"github.com/evertdb/evert/sinks/sinktest"
)

// The child of the crash test writes this index until it is killed.
const childDir = "EVERT_TEST_INDEX"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		deliverForever(dir)
	}
	os.Exit(m.Run())
}

// step is the changes of commit n: twenty keys, every fifth of them gone.
func step(n uint64) []pipeline.Change {
	var all []pipeline.Change
	for i := range uint64(20) {
		id := schema.Int(int64((n*7 + i*13) % 200))
		c := pipeline.Change{Table: sinktest.Items, Op: pipeline.Update, After: schema.Row{id, text(fmt.Sprintf("commit %d", n))}}
		if (n+i)%5 == 0 {
			c = pipeline.Change{Table: sinktest.Items, Op: pipeline.Delete, Before: schema.Row{id, schema.Unknown()}}
		}
		all = append(all, c)
	}
	return all
}

// model is what an index holds after commit n.
func model(n uint64) map[int64]string {
	rows := map[int64]string{}
	for k := uint64(1); k <= n; k++ {
		for _, c := range step(k) {
			if c.After == nil {
				delete(rows, c.Before[0].Int())
			} else {
				rows[c.After[0].Int()] = string(c.After[1].Ref())
			}
		}
	}
	return rows
}

// renewEvery is after how many commits the child fills the index anew.
const renewEvery = 10

// deliverForever makes commit after commit, each told on a line, and now and then
// fills the index anew.
func deliverForever(dir string) {
	x, err := bleve.New(bleve.Config{Dir: dir, Name: "items", BatchMemory: 30_000}) // several batches for a commit
	must(err)
	ctx := context.Background()
	target := x.Target(deliver.Stop{})
	at, err := target.Open(ctx)
	must(err)
	for n := at.At.Seq + 1; ; n++ {
		if at.At.IsZero() {
			seen, err := x.State()
			must(err)
			n = refill(ctx, target, seen.Resume.At.Seq)
		}
		must(target.Write(ctx, pipeline.Batch{Tables: []*schema.Table{sinktest.Items}, Changes: step(n)}))
		at = place(n)
		must(target.Commit(ctx, at))
		fmt.Println(n)
		if n%renewEvery == 0 {
			must(x.Target(deliver.Stop{}).Renew(ctx))
			target = x.Target(deliver.Stop{})
			at, err = target.Open(ctx)
			must(err)
		}
	}
}

// refill writes what commits up to n have made, in several commits of a fill.
func refill(ctx context.Context, target deliver.Target, n uint64) (next uint64) {
	rows, written := model(n), 0
	for id, v := range rows {
		c := pipeline.Change{Table: sinktest.Items, Op: pipeline.Update, After: schema.Row{schema.Int(id), text(v)}}
		must(target.Write(ctx, pipeline.Batch{Changes: []pipeline.Change{c}}))
		if written++; written%50 == 0 {
			must(target.Commit(ctx, pipeline.Resume{State: []byte("filling")}))
		}
	}
	if n > 0 {
		must(target.Commit(ctx, place(n)))
	}
	return n + 1
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// S09: a process that is killed at any moment leaves an index that shows exactly
// what the commits up to its place have made, and that goes on.
func TestCrash(t *testing.T) {
	t.Run("S09 kill -9 inside batches, fills and switches", func(t *testing.T) {
		runs := 3
		if n, err := strconv.Atoi(os.Getenv("EVERT_CRASH_RUNS")); err == nil {
			runs = n
		}
		rng, seed := random(t)
		dir, last := t.TempDir(), uint64(0)
		for run := range runs {
			last = max(last, killedChild(t, dir, rng))
			if got := settled(t, dir); got < last {
				t.Fatalf("run %d of seed %d: the index is at commit %d, where %d was told", run, seed, got, last)
			}
			if t.Failed() {
				t.Fatalf("run %d of seed %d", run, seed)
			}
		}
	})
}

func random(t *testing.T) (*rand.Rand, uint64) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("EVERT_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d (EVERT_SEED)", seed)
	return rand.New(rand.NewPCG(seed, 9)), seed
}

// killedChild runs a child until it has told some commits and a moment more, and
// gives the last one told.
func killedChild(t *testing.T, dir string, rng *rand.Rand) (last uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env, child.Stderr = append(os.Environ(), childDir+"="+dir), os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines, commits, moment := bufio.NewScanner(out), 1+rng.IntN(15), time.Duration(rng.IntN(30_000))*time.Microsecond
	for n := 0; lines.Scan(); n++ {
		last, _ = strconv.ParseUint(lines.Text(), 10, 64)
		if n == commits {
			time.AfterFunc(moment, func() { _ = child.Process.Kill() })
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return last
}

// settled opens an index, compares what it shows with its place, and gives that.
func settled(t *testing.T, dir string) uint64 {
	t.Helper()
	x, err := bleve.New(bleve.Config{Dir: dir, Name: "items", Events: bleve.Events{Torn: func(build, why string) { t.Errorf("%s: %s", build, why) }}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	s, err := x.State()
	if err != nil || !s.Live {
		t.Fatalf("nothing to read: %+v, %v", s, err)
	}
	// Between two commits there may be batches of the next: rows of it, and no others.
	before, after := model(s.Resume.At.Seq), model(s.Resume.At.Seq+1)
	got := items(t, x)
	for id := range maps.Keys(mapsUnion(before, after, got)) {
		if v, ok := got[id]; !same(v, ok, before, id) && !same(v, ok, after, id) {
			t.Errorf("item %d is %q at commit %d, want %q or %q", id, v, s.Resume.At.Seq, before[id], after[id])
		}
	}
	return s.Resume.At.Seq
}

func same(v string, ok bool, rows map[int64]string, id int64) bool {
	want, there := rows[id]
	return ok == there && v == want
}

func mapsUnion(all ...map[int64]string) map[int64]string {
	union := map[int64]string{}
	for _, m := range all {
		maps.Copy(union, m)
	}
	return union
}

// S09: an index some of whose bytes are others is never answered from, unless the
// bytes do not matter.
func TestDamage(t *testing.T) {
	t.Run("S09 bytes flipped, cut off, removed", func(t *testing.T) {
		rng, seed := random(t)
		whole := t.TempDir()
		writeItems(t, whole, 6)
		want, tornOnes := model(6), 0
		rounds := 60
		if os.Getenv("EVERT_FULL") != "" {
			rounds = 2000
		}
		for round := range rounds {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			what := damage(t, dir, rng)
			wasTorn, got, err := reopened(t, dir)
			if err != nil {
				t.Fatalf("round %d of seed %d, %s: %v", round, seed, what, err)
			}
			if !wasTorn && !maps.Equal(got, want) {
				t.Fatalf("round %d of seed %d: after %s a reader sees %d rows: %v", round, seed, what, len(got), got)
			}
			if wasTorn {
				tornOnes++
			}
			if wasTorn && len(got) > 0 {
				t.Fatalf("round %d of seed %d: after %s a torn index answers", round, seed, what)
			}
		}
		t.Logf("%d of %d were put aside", tornOnes, rounds)
		if tornOnes < rounds/20 {
			t.Errorf("only %d of %d were put aside", tornOnes, rounds)
		}
	})
}

// writeItems makes an index of some commits.
func writeItems(t *testing.T, dir string, commits uint64) {
	t.Helper()
	x := open(t, bleve.Config{Dir: dir})
	w := writer{TB: t, Target: x.Target(deliver.Stop{})}
	w.open()
	for n := uint64(1); n <= commits; n++ {
		if err := w.Write(context.Background(), pipeline.Batch{Changes: step(n)}); err != nil {
			t.Fatal(err)
		}
		w.commit(n)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

// damage changes something in one of the files, and says what.
func damage(t *testing.T, dir string, rng *rand.Rand) string {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(path, "/b") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := files[rng.IntN(len(files))]
	name := filepath.Base(path)
	bytes, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch rng.IntN(8) {
	case 0:
		must(os.Truncate(path, int64(rng.IntN(len(bytes)))))
		return "cutting off " + name
	case 1:
		must(os.Remove(path))
		return "removing " + name
	case 2: // a block of a disk
		at := rng.IntN(len(bytes)) &^ 511
		clear(bytes[at:min(at+512, len(bytes))])
		must(os.WriteFile(path, bytes, 0o600))
		return fmt.Sprintf("zeroing block %d of %s", at/512, name)
	}
	at, bit := rng.IntN(len(bytes)), rng.IntN(8)
	if name == "root.bolt" { // most of it is empty: prefer what is not
		for tries := 0; bytes[at] == 0 && tries < 100; tries++ {
			at = rng.IntN(len(bytes))
		}
	}
	bytes[at] ^= 1 << bit
	must(os.WriteFile(path, bytes, 0o600))
	return fmt.Sprintf("flipping bit %d of byte %d of %s", bit, at, name)
}

// reopened opens an index as a daemon does, writes to it as a stage does when it
// is torn, and says what a reader sees before that.
func reopened(t *testing.T, dir string) (wasTorn bool, seen map[int64]string, err error) {
	t.Helper()
	x, err := bleve.New(bleve.Config{Dir: dir, Name: "items", LockTimeout: time.Second, Events: bleve.Events{Torn: func(string, string) { wasTorn = true }}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.Load(context.Background()); err != nil {
		return wasTorn, nil, err
	}
	seen = items(t, x)
	if !wasTorn {
		return wasTorn, seen, nil
	}
	w := writer{TB: t, Target: x.Target(deliver.Stop{})}
	if from := w.open(); !from.IsZero() {
		return wasTorn, seen, fmt.Errorf("it goes on from %+v", from)
	}
	w.put(sinktest.Items, schema.Row{schema.Int(1), text("anew")})
	w.commit(9)
	if got := items(t, x); len(got) != 1 {
		return wasTorn, seen, fmt.Errorf("filled anew it shows %v", got)
	}
	return wasTorn, seen, nil
}
