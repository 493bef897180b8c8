//go:build unix

package child

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestGuardByPipe(t *testing.T) {
	t.Run("released, it leaves the process alone", func(t *testing.T) {
		victim := exec.Command("sleep", "60")
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		release, err := guardByPipe(victim.Process.Pid, syscall.SIGQUIT)
		if err != nil {
			t.Fatal(err)
		}
		release() // returns when the guard has ended
		if err := victim.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("the process is gone: %v", err)
		}
		_ = victim.Process.Kill()
		_ = victim.Wait()
	})
	t.Run("its pipe closed, it ends the process", func(t *testing.T) {
		victim := exec.Command("sleep", "60")
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		shell := guardShell(victim.Process.Pid, syscall.SIGQUIT)
		pipe, err := shell.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := shell.Start(); err != nil {
			t.Fatal(err)
		}
		_ = pipe.Close()
		_ = shell.Wait()
		_ = victim.Wait()
		if status := victim.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGQUIT {
			t.Errorf("ended by %v; want SIGQUIT", victim.ProcessState)
		}
	})
}
