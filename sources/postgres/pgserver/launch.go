package pgserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultSettings are those of every server, before Options.Settings.
func DefaultSettings() map[string]string {
	return map[string]string{
		"listen_addresses":          "127.0.0.1",
		"wal_level":                 "logical",
		"max_wal_senders":           "20",
		"max_replication_slots":     "20",
		"max_prepared_transactions": "10",
		"lc_messages":               "C", // launch reads the log
		"logging_collector":         "off",
	}
}

// maxSocketPath is what fits into sockaddr_un on every system.
const maxSocketPath = 100

// arguments of the postgres program. Beyond maxSocketPath there is no unix
// socket: it is a convenience, and a server without one still serves.
func (s *Server) arguments(port int) []string {
	settings := DefaultSettings()
	settings["unix_socket_directories"] = ""
	run := filepath.Join(s.dir, "run")
	if exeSuffix == "" && len(run)+len("/.s.PGSQL.65535") < maxSocketPath {
		settings["unix_socket_directories"] = run
	}
	maps.Copy(settings, s.options.Settings)
	args := []string{"-D", s.data(), "-p", strconv.Itoa(port)}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// launch starts the program once on a port and waits until it is ready.
func (s *Server) launch(ctx context.Context, port int) error {
	log, err := os.OpenFile(s.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own copy
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	cmd := s.command("postgres", s.arguments(port)...)
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = begin(cmd, s.data()); err != nil {
		return err
	}
	return s.awaitReady(ctx, before)
}

// command runs a program of ours as the account, in a directory it can enter.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin.Dir, name+exeSuffix), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.dir, cleanEnviron(), s.account.attr()
	return cmd
}

// awaitReady waits for the word "ready" that the server writes into
// postmaster.pid, or for its end. logFrom is where this start's log begins.
func (s *Server) awaitReady(ctx context.Context, logFrom int64) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-s.process.exited:
			return s.whyItEnded(logFrom)
		case <-ctx.Done():
			_ = s.Stop(Immediate)
			return fmt.Errorf("not ready in time: %w%s", context.Cause(ctx), s.logTail(logFrom))
		case <-look.C:
			if s.ready() {
				return nil
			}
		}
	}
}

// ready reads postmaster.pid: its first line is the process, its eighth the state.
func (s *Server) ready() bool {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) >= 8 &&
		strings.TrimSpace(lines[0]) == strconv.Itoa(s.process.cmd.Process.Pid) &&
		strings.TrimSpace(lines[7]) == "ready"
}

func (s *Server) whyItEnded(logFrom int64) error {
	tail := s.logTail(logFrom)
	if strings.Contains(tail, "could not create any TCP/IP sockets") {
		return fmt.Errorf("%w%s", errPortTaken, tail)
	}
	return fmt.Errorf("the server ended at once%s", tail)
}

// logTail gives the last lines since an offset, indented, on lines of their own.
func (s *Server) logTail(from int64) string {
	const maxBytes, maxLines = 1 << 16, 12
	log, err := os.Open(s.LogPath())
	if err != nil {
		return ""
	}
	defer log.Close()
	text, err := io.ReadAll(io.NewSectionReader(log, from, maxBytes))
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	lines = lines[max(0, len(lines)-maxLines):]
	return "\n    " + string(bytes.Join(lines, []byte("\n    ")))
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}
