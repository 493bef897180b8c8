package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// Listen opens a TCP address. One that is taken, perhaps by a predecessor that
// is still ending, is waited for until patience is over.
func Listen(ctx context.Context, name, address string, patience time.Duration) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var listening net.ListenConfig
	for {
		l, err := listening.Listen(context.WithoutCancel(ctx), "tcp", address)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, cannotListen(name, address, err)
		}
		select {
		case <-ctx.Done():
			return nil, cannotListen(name, address, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func cannotListen(name, address string, err error) error {
	what := "it cannot be listened on"
	if errors.Is(err, syscall.EADDRINUSE) {
		what = "another process listens there"
	}
	var cause syscall.Errno
	if errors.As(err, &cause) {
		err = cause
	}
	return &pipeline.Refusal{Code: CodePortTaken, Where: "serve." + name + " " + address, What: what, Err: err,
		Mend: "stop that process, or name another address: serve: {" + name + ": 127.0.0.1:0} takes a free one, none turns it off"}
}

// ListenSocket opens the control socket for the owner alone. The caller owns
// the data directory, so a socket that lies there is left from before.
func ListenSocket(path string) (net.Listener, error) {
	path = shortest(path)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, socketFailed(path, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, socketFailed(path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, socketFailed(path, err)
	}
	return l, nil
}

func socketFailed(path string, err error) error {
	return &pipeline.Refusal{Code: CodeSocketPath, Where: "control socket " + path, What: "it cannot be made", Err: err,
		Mend: "name a data_dir with a shorter path, on a local file system"}
}

// shortest writes path relative to the working directory if that is shorter:
// the system bounds the name of a socket to about 100 bytes.
func shortest(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, abs)
	if err != nil || len(rel) > len(abs) {
		return abs
	}
	return rel
}

// TLS puts the server's side of TLS before l, from two files, which are read
// again when they change.
func TLS(l net.Listener, cert, key string) (net.Listener, error) {
	p := &pair{cert: cert, key: key}
	if _, err := p.get(nil); err != nil {
		l.Close()
		return nil, &pipeline.Refusal{Code: CodeCertificate, Where: "serve.tls", What: "certificate and key cannot be used", Err: err,
			Mend: "name the PEM files of a certificate chain and its private key"}
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.get}), nil
}

// pair is a certificate on disk. The newest one that can be read counts.
type pair struct {
	cert, key string
	mu        sync.Mutex
	stamp     time.Time
	held      *tls.Certificate
}

func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	info, err := os.Stat(p.cert)
	if err == nil && p.held != nil && info.ModTime().Equal(p.stamp) {
		return p.held, nil
	}
	next, loadErr := tls.LoadX509KeyPair(p.cert, p.key)
	switch {
	case loadErr == nil && err == nil:
		p.held, p.stamp = &next, info.ModTime()
	case p.held == nil:
		return nil, errors.Join(err, loadErr)
	}
	return p.held, nil
}

// A Server serves one handler on one listener.
type Server struct {
	http.Server
	Listener net.Listener
	done     chan struct{}
}

// Serve begins to serve; Stop ends it. A client that is slow on purpose holds
// nothing for long: it has seconds for its request and, on a network, a minute
// for the answer. On the socket an answer may be a stream.
func Serve(l net.Listener, h http.Handler, log *slog.Logger) *Server {
	s := &Server{Listener: l, done: make(chan struct{})}
	s.Handler = h
	s.ReadHeaderTimeout = 5 * time.Second
	s.IdleTimeout = 2 * time.Minute
	s.MaxHeaderBytes = 64 << 10
	if l.Addr().Network() != "unix" {
		s.ReadTimeout, s.WriteTimeout = 30*time.Second, time.Minute
	}
	s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	go func() {
		defer close(s.done)
		_ = s.Server.Serve(l)
	}()
	return s
}

// Stop lets requests in progress end until ctx does, then cuts them.
func (s *Server) Stop(ctx context.Context) {
	if s.Shutdown(ctx) != nil {
		_ = s.Close()
	}
	<-s.done
}
