package pgserver

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"github.com/evertdb/evert/pipeline/loopback/child"
)

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) passwordFile() string { return filepath.Join(s.dir, "password") }

// prepare chooses the account and makes the directory that it can work in.
func (s *Server) prepare() (err error) {
	if s.account, err = child.NotRoot("postgres", "nobody"); err != nil {
		return err
	}
	if err := s.account.Reaches(s.bin.Dir); err != nil {
		return err
	}
	if s.options.Dir == "" {
		s.dir, err = s.account.TempDir("evert-pg-")
	} else {
		s.dir, err = s.keptDir()
	}
	if err != nil {
		return err
	}
	return s.makeOwned("run")
}

func (s *Server) keptDir() (string, error) {
	dir, err := filepath.Abs(s.options.Dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, s.account.Reaches(dir)
}

// makeOwned makes a private folder for the account.
func (s *Server) makeOwned(name string) error {
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return s.account.Give(path)
}

// cluster makes a cluster unless an earlier server has left one.
func (s *Server) cluster(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); err == nil {
		return s.readPassword()
	}
	if err := s.writePassword(rand.Text()); err != nil {
		return err
	}
	if err := s.makeOwned("data"); err != nil {
		return err
	}
	create := s.initdb
	if s.options.Kept != "" {
		create = s.copyKept
	}
	var failed error
	for _, locale := range locales() {
		failed = create(ctx, locale)
		if failed == nil || ctx.Err() != nil || errors.As(failed, new(keptError)) {
			break
		}
	}
	return failed
}

func (s *Server) readPassword() error {
	text, err := os.ReadFile(s.passwordFile())
	s.password = string(text)
	return err
}

func (s *Server) writePassword(password string) error {
	s.password = password
	if err := os.WriteFile(s.passwordFile(), []byte(s.password), 0o600); err != nil {
		return err
	}
	return s.account.Give(s.passwordFile()) // initdb reads it
}

// locales to try in turn: C.UTF-8 is the one whose order is that of bytes and
// whose upper and lower know Unicode, but not every system has it.
func locales() []string {
	if runtime.GOOS == "linux" {
		return []string{"C.UTF-8", "C"}
	}
	return []string{"C"}
}

// initdb without a flush to disk: what is thrown away need not survive a power cut.
func (s *Server) initdb(ctx context.Context, locale string) error {
	_, err := child.Run(ctx, s.command("initdb", s.initdbArguments(locale, s.data(), s.passwordFile())...), s.account)
	return err
}

func (s *Server) initdbArguments(locale, data, passwordFile string) []string {
	auth := s.options.Auth
	if auth == "" {
		auth = "scram-sha-256"
	}
	args := []string{
		"-D", data, "-U", "postgres", "-A", auth, "--pwfile=" + passwordFile, "-E", "UTF8", "--locale=" + locale, "--no-sync",
	}
	return append(args, s.options.Initdb...)
}
