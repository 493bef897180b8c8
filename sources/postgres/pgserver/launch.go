package pgserver

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/evertdb/evert/pipeline/loopback/child"
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

// launch starts the program once on a port and waits for the word "ready" that it
// writes into postmaster.pid.
func (s *Server) launch(ctx context.Context, port int) (err error) {
	if s.process, err = child.Start(s.command("postgres", s.arguments(port)...), s.account, syscall.SIGQUIT, s.LogPath()); err != nil {
		return err
	}
	if err = s.process.Await(ctx, s.ready, "could not create any TCP/IP sockets"); err != nil {
		err = errors.Join(err, s.Stop(Immediate))
	}
	return err
}

// ready reads postmaster.pid: its first line is the process, its eighth the state.
func (s *Server) ready() bool {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) >= 8 &&
		strings.TrimSpace(lines[0]) == strconv.Itoa(s.process.PID()) &&
		strings.TrimSpace(lines[7]) == "ready"
}

// command makes a command of a program of ours, in a directory that the account can
// enter.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin.Dir, name+exeSuffix), args...)
	cmd.Dir, cmd.Env = s.dir, cleanEnviron()
	return cmd
}

// cleanEnviron is our environment without what would change a server's or
// initdb's defaults.
func cleanEnviron() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !hasAnyPrefix(kv, "PG", "LC_", "LANG", "POSTGRES") {
			env = append(env, kv)
		}
	}
	return append(env, "LC_ALL=C")
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}
