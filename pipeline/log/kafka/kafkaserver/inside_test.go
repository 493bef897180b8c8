//go:build unix

package kafkaserver

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestProperties(t *testing.T) {
	got := properties(map[string]string{"b": "two\nlines", "a": ` \ left`, "c": "x=y:z"})
	want := "a=\\ \\\\ left\nb=two\\nlines\nc=x=y:z\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a node says is found though it comes in two pieces.
func TestLogIsWatched(t *testing.T) {
	l, err := openLog(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	for _, piece := range []string{"INFO [x] Kafka Ser", "ver started (y)\n", "java.net.BindException: Address already", " in use\n"} {
		if _, err := l.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-l.started:
	default:
		t.Error("the start was not seen")
	}
	if !l.taken() {
		t.Error("the taken port was not seen")
	}
}

// Two nodes share a kept storage if they have the same number, roles and features;
// where their clusters lie is nothing to it.
func TestKeptStorages(t *testing.T) {
	of := func(dir string, id int, controller bool, features map[string]int) string {
		c := &Cluster{dist: Distribution{archive: "/cache/java.jsa"}, dir: dir, options: Options{Features: features}}
		return (&Node{id: id, cluster: c, broker: true, controller: controller}).keptStorage()
	}
	one := of("/a", 1, true, nil)
	if again := of("/b", 1, true, nil); again != one {
		t.Errorf("%s and %s are of the same", one, again)
	}
	for name, other := range map[string]string{
		"number": of("/a", 2, true, nil), "role": of("/a", 1, false, nil), "features": of("/a", 1, true, map[string]int{"transaction.version": 1}),
	} {
		if other == one {
			t.Errorf("one of another %s is the same", name)
		}
	}
}

func TestGuardByPipe(t *testing.T) {
	for _, c := range []struct {
		name    string
		release bool
	}{{"released, it leaves the process alone", true}, {"its pipe closed, it ends the process", false}} {
		t.Run(c.name, func(t *testing.T) {
			victim := exec.Command("sleep", "60")
			if err := victim.Start(); err != nil {
				t.Fatal(err)
			}
			shell := guardShell(victim.Process.Pid)
			pipe, err := shell.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := shell.Start(); err != nil {
				t.Fatal(err)
			}
			if c.release {
				_, _ = pipe.Write([]byte("released\n"))
			} else {
				_ = pipe.Close()
			}
			_ = shell.Wait()
			if c.release {
				_ = victim.Process.Signal(syscall.SIGTERM)
			}
			_ = victim.Wait()
			want := map[bool]syscall.Signal{true: syscall.SIGTERM, false: syscall.SIGKILL}[c.release]
			if status := victim.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != want {
				t.Errorf("ended by %v; want %v", victim.ProcessState, want)
			}
		})
	}
}
