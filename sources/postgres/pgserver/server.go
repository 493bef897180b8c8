package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline/loopback"
	"github.com/evertdb/evert/pipeline/loopback/child"
)

// Options of a server. The zero value is a temporary server on a free port.
type Options struct {
	// Dir holds the cluster and stays after Close; one made by an earlier
	// server is started again. Empty: a temporary directory, removed by Close.
	Dir string
	// Port on loopback; 0 chooses a free one.
	Port int
	// Settings override or add to those of DefaultSettings.
	Settings map[string]string
	// Initdb is added to the arguments of initdb.
	Initdb []string
	// Kept is a folder, for us alone, in which clusters are kept as initdb made them: one
	// made alike is copied, which takes a fraction of the time, and gets another system
	// identifier. The password is then that of the copied one. Empty: initdb runs.
	Kept string
	// Auth is the method for every connection; "" is scram-sha-256 with a
	// random password, which URL contains.
	Auth string
}

// Server is a running Postgres, owned by whoever called Start. Stop, Restart
// and Close are called by one goroutine at a time; URL, Port, PID and Exec by any
// while none of those runs.
type Server struct {
	bin      Binaries
	options  Options
	account  *child.Account
	dir      string
	port     int
	ours     *loopback.Port // nil where Options.Port is another's
	password string
	process  *child.Process
}

// Start makes the cluster if Dir holds none, starts it, and returns when it
// takes connections. ctx bounds the start, not the server's life. After an error
// nothing runs and nothing temporary is left.
func Start(ctx context.Context, b Binaries, o Options) (*Server, error) {
	s := &Server{bin: b, options: o, port: o.Port}
	err := s.prepare()
	if err == nil {
		err = s.cluster(ctx)
	}
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Postgres %s: %w", b.Version, err), s.Close())
	}
	return s, nil
}

// URL connects to db as superuser postgres; it contains the password.
func (s *Server) URL(db string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("postgres", s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + db,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port on 127.0.0.1; the same over restarts.
func (s *Server) Port() int { return s.port }

// Dir is the server's directory; see the package's layout.
func (s *Server) Dir() string { return s.dir }

// LogPath is the file that the server writes to.
func (s *Server) LogPath() string { return filepath.Join(s.dir, "postgres.log") }

// Binaries are those the server runs from.
func (s *Server) Binaries() Binaries { return s.bin }

// PID of the postmaster; 0 when it does not run.
func (s *Server) PID() int { return s.process.PID() }

// Restart stops in the given mode, if it runs, and starts on the same port.
func (s *Server) Restart(ctx context.Context, mode Mode) error {
	if err := s.Stop(mode); err != nil {
		return err
	}
	return s.start(ctx)
}

// Close ends the server and removes what was temporary. It may be called again.
func (s *Server) Close() error {
	if s.options.Dir != "" {
		err := s.Stop(Fast)
		s.ours.Close()
		return err
	}
	err := s.Stop(Immediate)
	s.ours.Close()
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// Exec runs statements in db, each string by the simple protocol on one
// connection, and stops at the first error.
func (s *Server) Exec(ctx context.Context, db string, sql ...string) error {
	conn, err := pgx.Connect(ctx, s.URL(db))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for i, text := range sql {
		if _, err := conn.PgConn().Exec(ctx, text).ReadAll(); err != nil {
			return fmt.Errorf("statement %d of %d: %w", i+1, len(sql), err)
		}
	}
	return nil
}

// Tool makes a command of another program of the server's version, run as its account
// in its directory.
func (s *Server) Tool(name string, args ...string) (*exec.Cmd, error) {
	_, err := s.bin.Tool(name)
	cmd := s.command(name, args...)
	cmd.SysProcAttr = s.account.Attr()
	return cmd, err
}

// startTimeout bounds a start whose context has no earlier end; recovery after
// an immediate stop is part of it.
const startTimeout = 2 * time.Minute

// start tries ports until one holds; a port that was asked for, or is already
// known to clients, is the only one tried.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if s.port != 0 {
		return s.launch(ctx, s.port)
	}
	return loopback.Retry(func() (err error) {
		s.ours.Close()
		if s.ours, err = loopback.Take(); err != nil {
			return err
		}
		if err = s.launch(ctx, s.ours.Number); err == nil {
			s.port = s.ours.Number
		}
		return err
	})
}
