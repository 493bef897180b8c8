package mysqlserver

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/evertdb/evert/pipeline/loopback"
	"github.com/evertdb/evert/pipeline/loopback/child"
)

// startTimeout bounds a start, recovery included.
const startTimeout = 3 * time.Minute

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
	if s.account, err = child.NotRoot("mysql", "nobody"); err != nil {
		return err
	}
	if s.dir, err = s.account.TempDir("evert-my-"); err != nil {
		return err
	}
	for _, name := range []string{"data", "tmp"} {
		path := filepath.Join(s.dir, name)
		if err := errors.Join(os.Mkdir(path, 0o700), s.account.Give(path)); err != nil {
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
	_, err := child.Run(ctx, s.command(name, args...), s.account)
	return err
}

// command is a program in a directory that the account can enter.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=" + s.dir}
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

// start tries ports until one holds; one that clients already know is the only one
// tried.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if s.port != 0 {
		return s.launch(ctx)
	}
	return loopback.Retry(func() (err error) {
		s.ours.Close()
		if s.ours, err = loopback.Take(); err != nil {
			return err
		}
		s.port = s.ours.Number
		return s.launch(ctx)
	})
}

// launch starts the program once and waits until the account is let in, which the init
// file made before the port was opened.
func (s *Server) launch(ctx context.Context) (err error) {
	if s.process, err = child.Start(s.command(s.bin.Daemon, s.arguments(s.port)...), s.account, syscall.SIGKILL, s.LogPath()); err != nil {
		return err
	}
	err = s.process.Await(ctx, func() bool {
		c, err := s.Connect(ctx, "")
		return err == nil && c.Close() == nil
	}, "Bind on TCP/IP port", "Address already in use")
	if err != nil {
		s.Kill()
	}
	return err
}
