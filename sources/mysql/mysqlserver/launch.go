package mysqlserver

import (
	"bytes"
	"context"
	"errors"
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

	"github.com/evertdb/evert/pipeline/loopback"
)

const (
	startTimeout = 3 * time.Minute  // of a start, recovery included
	stopGrace    = 30 * time.Second // after which a stop is forced
	portTries    = 5                // how often another free port is tried when one was snatched
)

// DefaultSettings are those of every server, before Options.Settings: a binary log
// that can be captured, and no durability over a power cut.
func (b Binaries) DefaultSettings() map[string]string {
	all := map[string]string{
		"bind-address": "127.0.0.1", "server-id": "1", "log-bin": "bin", "binlog-format": "ROW", "binlog-row-image": "FULL",
		"binlog-row-metadata": "FULL", "sync-binlog": "0", "skip-name-resolve": "ON", "innodb-flush-log-at-trx-commit": "2",
		"innodb-buffer-pool-size": "32M", "character-set-server": "utf8mb4", "performance-schema": "OFF",
		"max-connections": "1000", // of connections that were closed a busy server lets go late
	}
	if b.MariaDB() {
		all["gtid-strict-mode"] = "ON"
		all["innodb-log-file-size"] = "16M"
		return all
	}
	all["gtid-mode"], all["enforce-gtid-consistency"] = "ON", "ON"
	all["innodb-redo-log-capacity"], all["secure-file-priv"], all["mysqlx"] = "16M", "NULL", "OFF"
	return all
}

// prepare makes the directories and what the server finds in them.
func (s *Server) prepare(ctx context.Context) (err error) {
	if s.account, err = serverAccount(); err != nil {
		return err
	}
	if s.dir, err = tempDir(s.account); err != nil {
		return err
	}
	for _, name := range []string{"data", "tmp"} {
		path := filepath.Join(s.dir, name)
		if err := errors.Join(os.Mkdir(path, 0o700), give(path, s.account)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(s.initFile(), []byte(s.initSQL()), 0o644); err != nil {
		return err
	}
	return s.install(ctx)
}

func (s *Server) data() string     { return filepath.Join(s.dir, "data") }
func (s *Server) initFile() string { return filepath.Join(s.dir, "init.sql") }

// initSQL makes the account; one statement a line, as init files are read. It
// stays out of the binary log.
func (s *Server) initSQL() string {
	who := "'" + User + "'@'127.0.0.1'"
	return "SET sql_log_bin = 0;\n" +
		"CREATE USER IF NOT EXISTS " + who + " IDENTIFIED BY '" + s.password + "';\n" +
		"GRANT ALL ON *.* TO " + who + " WITH GRANT OPTION;\n"
}

// install makes the system tables.
func (s *Server) install(ctx context.Context) error {
	args := append([]string{"--no-defaults", "--datadir=" + s.data(), "--tmpdir=" + filepath.Join(s.dir, "tmp")}, s.bin.base()...)
	name := s.bin.InstallDB
	if s.bin.MariaDB() {
		args = append(args, "--auth-root-authentication-method=normal", "--skip-test-db", "--force", "--innodb-log-file-size=16M", "--skip-log-bin")
	} else {
		name, args = s.bin.Daemon, append(args, "--initialize-insecure")
	}
	cmd := s.command(name, args...)
	stop := context.AfterFunc(ctx, func() { _ = cmd.Cancel() })
	defer stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, tail(out))
	}
	return nil
}

// command is a program run as the account, in a directory it can enter.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.dir, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=" + s.dir}, s.account.attr()
	return cmd
}

func (s *Server) arguments(port int) []string {
	settings := s.bin.DefaultSettings()
	maps.Copy(settings, s.options.Settings)
	args := []string{
		"--no-defaults", "--datadir=" + s.data(), "--tmpdir=" + filepath.Join(s.dir, "tmp"), "--port=" + strconv.Itoa(port),
		"--socket=" + filepath.Join(s.dir, "s"), "--pid-file=" + filepath.Join(s.dir, "data", "pid"), "--init-file=" + s.initFile(),
	}
	args = append(args, s.bin.base()...)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "--"+name+"="+settings[name])
	}
	return args
}

var errPortTaken = errors.New("the port is taken")

// start tries ports until one holds; one that clients already know is the only one
// tried.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if s.port != 0 {
		return s.launch(ctx)
	}
	var err error
	for range portTries {
		s.ours.Close()
		if s.ours, err = loopback.Take(); err != nil {
			return err
		}
		s.port = s.ours.Number
		if err = s.launch(ctx); err == nil || !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// launch starts the program once and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	log, err := os.OpenFile(s.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own copy
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	cmd := s.command(s.bin.Daemon, s.arguments(s.port)...)
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = begin(cmd); err != nil {
		return err
	}
	return s.awaitReady(ctx, from)
}

// awaitReady asks until the account is let in, which the init file made before the
// port was opened, or until the program has ended.
func (s *Server) awaitReady(ctx context.Context, from int64) error {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-s.process.exited:
			return s.whyItEnded(from)
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("not ready in time: %w%s", context.Cause(ctx), s.logTail(from))
		case <-look.C:
			if c, err := s.Connect(ctx, ""); err == nil {
				return c.Close()
			}
		}
	}
}

func (s *Server) whyItEnded(from int64) error {
	said := s.logTail(from)
	if strings.Contains(said, "Bind on TCP/IP port") || strings.Contains(said, "Address already in use") {
		return fmt.Errorf("%w%s", errPortTaken, said)
	}
	return fmt.Errorf("the server ended at once%s", said)
}

// logTail gives the last lines since an offset.
func (s *Server) logTail(from int64) string {
	text, err := os.ReadFile(s.LogPath())
	if err != nil || int64(len(text)) <= from {
		return ""
	}
	return "\n" + tail(text[from:])
}

// tail gives the last lines of a text, indented.
func tail(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return "    " + string(bytes.Join(lines[max(0, len(lines)-12):], []byte("\n    ")))
}
