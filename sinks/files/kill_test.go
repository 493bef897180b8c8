//go:build unix

package files_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/sinks/files"
	"github.com/evertdb/evert/sinks/sinktest"
)

// childEnv makes the test binary a process that delivers, to be killed.
const childEnv = "EVERT_TEST_FILES"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		child(path)
		return
	}
	os.Exit(m.Run())
}

// rows is how many changes a child delivers in all.
const rows = 3000

// child delivers the changes that are not delivered yet, one commit after the
// other, and tells each of them.
func child(path string) {
	format, path, _ := strings.Cut(path, ":")
	c := files.Config{Name: "out", Owner: "shop/out", Path: path, Format: files.Format(format), RotateBytes: 4000, Block: 600}
	c.Origins = []event.Origin{{Topic: "app.public.items"}}
	target := files.New(c)
	from, err := target.Open(context.Background())
	if err != nil {
		fatal(err)
	}
	done, _ := strconv.Atoi(string(from.State))
	for done < rows {
		n := min(1+rand.IntN(40), rows-done)
		var changes []pipeline.Change
		for i := range n {
			changes = append(changes, sinktest.Put(int64(done+i), "row"))
		}
		b := sinktest.Batch(changes...)
		for i := range b.Changes {
			b.Changes[i].Offset = uint64(done + i)
		}
		if err := target.Write(context.Background(), b); err != nil {
			fatal(err)
		}
		done += n
		at := pipeline.Resume{At: pipeline.Position{Seq: uint64(done), Native: "0/1"}, State: strconv.AppendInt(nil, int64(done), 10)}
		if err := target.Commit(context.Background(), at); err != nil {
			fatal(err)
		}
		fmt.Println(done)
	}
	if err := target.Close(); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKill kills a process that delivers, again and again, and then finds every
// change in the files once, in order (I1, I2, I10).
func TestKill(t *testing.T) {
	for _, format := range []files.Format{files.JSONL, files.Avro} {
		t.Run(string(format), func(t *testing.T) {
			f := newFolder(t, files.Config{Format: format})
			kills := 0
			for !deliverOnce(t, f, kills < 12) {
				if kills++; kills > 1000 {
					t.Fatal("it comes to no end")
				}
			}
			var next int64
			for _, b := range f.contents(t) {
				f.each(t, b, func(event []byte) {
					var e struct{ Key struct{ ID int64 } }
					if err := json.Unmarshal(event, &e); err != nil || e.Key.ID != next {
						t.Fatalf("change %d is %s: %v", next, event, err)
					}
					next++
				})
			}
			if next != rows {
				t.Errorf("%d changes are there after %d kills, want %d", next, kills, rows)
			}
			t.Logf("%d kills, %d files", kills, len(f.contents(t)))
		})
	}
}

// deliverOnce runs a child and, if it is to be killed, kills it after a random
// number of commits and a random moment. It reports whether the child was done.
func deliverOnce(t *testing.T, f *folder, kill bool) bool {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(f.config.Format)+":"+f.config.Path)
	if f.config.Format == "" {
		t.Fatal("name the format")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commits := 1 + rand.IntN(10)
	for s := bufio.NewScanner(out); s.Scan() && kill; {
		if commits--; commits == 0 {
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond) // the moment is what is drawn
			_ = cmd.Process.Kill()
			break
		}
	}
	_, _ = io.Copy(io.Discard, out)
	err = cmd.Wait()
	if err != nil && !kill {
		t.Fatal(err)
	}
	return err == nil
}
