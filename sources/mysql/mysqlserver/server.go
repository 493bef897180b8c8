package mysqlserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline/loopback"
	"github.com/evertdb/evert/pipeline/loopback/child"
)

// User is the account that may do everything, from this machine.
const User = "admin"

// Options of a server. The zero value is a temporary server on a free port.
type Options struct {
	// Settings override or add to those of DefaultSettings, by their names on the
	// command line: "binlog-format".
	Settings map[string]string
}

// Server is a running server, owned by whoever called Start. Stop, Kill, Restart
// and Close are called by one goroutine at a time; the others by any while none of
// those runs.
type Server struct {
	bin      Binaries
	options  Options
	account  *child.Account
	dir      string
	port     int
	ours     *loopback.Port
	password string
	process  *child.Process
}

// Start makes a data directory and starts a server on it; it takes connections
// when Start returns. ctx bounds the start, not the server's life. After an error
// nothing runs and nothing is left.
func Start(ctx context.Context, b Binaries, o Options) (*Server, error) {
	s := &Server{bin: b, options: o, password: rand.Text()}
	err := s.prepare(ctx)
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", filepath.Base(b.Daemon), err), s.Close())
	}
	return s, nil
}

// URL connects to a database as User; it contains the password.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "mysql", User: url.UserPassword(User, s.password), Host: s.Address(), Path: "/" + database, RawQuery: "tls=disable",
	}
	return u.String()
}

// Address is host and port; the same over restarts.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Password of User.
func (s *Server) Password() string { return s.password }

// Binaries are those the server runs from.
func (s *Server) Binaries() Binaries { return s.bin }

// Dir is the server's directory; see the package's layout.
func (s *Server) Dir() string { return s.dir }

// LogPath is the file that the server writes to.
func (s *Server) LogPath() string { return filepath.Join(s.dir, "server.log") }

// PID of the server; 0 when it does not run.
func (s *Server) PID() int { return s.process.PID() }

// Stop ends the server in order. A stopped server is no error.
func (s *Server) Stop() error { return s.process.Stop() }

// Kill ends it as a crash does.
func (s *Server) Kill() { s.process.Kill() }

// Restart stops the server, if it runs, and starts it on the same port, with
// settings over those of its Options.
func (s *Server) Restart(ctx context.Context, settings map[string]string) error {
	if err := s.Stop(); err != nil {
		return err
	}
	for name, value := range settings {
		if s.options.Settings == nil {
			s.options.Settings = map[string]string{}
		}
		s.options.Settings[name] = value
	}
	return s.start(ctx)
}

// Close ends the server at once and removes its directory. It may be called again.
func (s *Server) Close() error {
	s.Kill()
	s.ours.Close()
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// Connect opens a connection as User, for the caller to close.
func (s *Server) Connect(ctx context.Context, database string) (*client.Conn, error) {
	return client.ConnectWithContext(ctx, s.Address(), User, s.password, database, 10*time.Second)
}

// Exec runs statements one after the other on one connection, and stops at the
// first error. The result is that of the last one.
func (s *Server) Exec(ctx context.Context, database string, sql ...string) (*mysql.Result, error) {
	conn, err := s.Connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var last *mysql.Result
	for i, text := range sql {
		if last, err = conn.Execute(text); err != nil {
			return nil, fmt.Errorf("statement %d of %d: %w", i+1, len(sql), err)
		}
	}
	return last, nil
}
