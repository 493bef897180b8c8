package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// Append and commit, kill -9, start again on the same data and port: the commit
// is there, the open one is gone, and the log goes on without an operator.
func TestKilledFakeComesBack(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "kfaked")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data := t.TempDir()
	first := start(t, binary, "-data", data)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	l, err := kafka.Open(ctx, kafka.Config{Brokers: []string{first.addr}, Deployment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: "t", Compact: true}); err != nil {
		t.Fatal(err)
	}
	tp := log.TopicPartition{Topic: "t"}
	w, err := l.Writer(ctx, "w")
	if err != nil {
		t.Fatal(err)
	}
	do(t, w.Append(ctx, log.Record{TopicPartition: tp, Key: []byte("a"), Value: []byte("1")}))
	do(t, w.Commit(ctx, nil))
	do(t, w.Append(ctx, log.Record{TopicPartition: tp, Key: []byte("b"), Value: []byte("dropped")}))
	_, err = w.Flush(ctx)
	do(t, err)

	do(t, first.cmd.Process.Kill())
	_ = first.cmd.Wait()
	_, port, _ := strings.Cut(first.addr, ":")
	start(t, binary, "-data", data, "-port", port)

	next, err := l.Writer(ctx, "w")
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	do(t, next.Append(ctx, log.Record{TopicPartition: tp, Key: []byte("c"), Value: []byte("3")}))
	do(t, next.Commit(ctx, nil))
	_ = w.Close()
	infos, err := l.Admin().Topics(ctx, "t")
	do(t, err)
	var got []string
	do(t, log.Scan(ctx, l, tp, infos[0].Ends[0], func(r *log.Record) error {
		got = append(got, string(r.Key)+"="+string(r.Value))
		return nil
	}))
	if text := strings.Join(got, " "); text != "a=1 c=3" {
		t.Fatalf("got %s", text)
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type fake struct {
	cmd  *exec.Cmd
	addr string
}

// start runs the fake until the test ends.
func start(t *testing.T, binary string, args ...string) fake {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	do(t, err)
	stdout, err := cmd.StdoutPipe()
	do(t, err)
	do(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok {
		t.Fatalf("the fake said %q", line)
	}
	return fake{cmd, addr}
}
