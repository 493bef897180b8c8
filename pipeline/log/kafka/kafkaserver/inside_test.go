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
