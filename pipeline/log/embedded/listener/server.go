package listener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// A Server speaks Kafka's protocol for one log on one listener. Its methods may
// be called from any goroutine.
type Server struct {
	cfg     Config
	limits  Limits
	apis    map[int16]*api
	batches batcher
	slots   *slots
	ids     topicIDs
	stats   stats

	listener net.Listener
	closing  chan struct{} // closed by Stop
	accepted chan struct{} // closed when no connection is accepted any more

	mu    sync.Mutex
	conns map[*conn]struct{}
	open  sync.WaitGroup
	told  map[string]time.Time // when a reason was last told
}

// Serve begins to serve the log on l, which the server closes; Stop ends it. The
// log must outlive the server.
func Serve(l net.Listener, cfg Config) (*Server, error) {
	apis, err := compileAPIs()
	if err != nil {
		return nil, err
	}
	limits := cfg.Limits.withDefaults()
	s := &Server{
		cfg: cfg, limits: limits, apis: apis, batches: newBatcher(),
		slots: newSlots(limits.Fetches, limits.FetchBytes), ids: topicIDs{log: cfg.Log},
		listener: l, closing: make(chan struct{}), accepted: make(chan struct{}),
		conns: map[*conn]struct{}{}, told: map[string]time.Time{},
	}
	if cfg.Advertised != "" {
		if _, _, err := splitAddress(cfg.Advertised); err != nil {
			return nil, fmt.Errorf("advertised address: %w", err)
		}
	}
	go s.accept()
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// accept takes connections until the listener is closed. A failure to accept,
// such as too many open files, passes: it is tried again.
func (s *Server) accept() {
	defer close(s.accepted)
	for {
		n, err := s.listener.Accept()
		if err == nil {
			s.admit(n)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.refused("", "a connection could not be accepted", err.Error())
		select {
		case <-time.After(100 * time.Millisecond):
		case <-s.closing:
			return
		}
	}
}

// admit serves a connection, or closes it if there are too many.
func (s *Server) admit(n net.Conn) {
	c := &conn{Server: s, net: n}
	s.mu.Lock()
	full, closing := len(s.conns) >= s.limits.Connections, s.isClosing()
	if !full && !closing {
		s.conns[c] = struct{}{}
		s.open.Add(1)
	}
	s.mu.Unlock()
	switch {
	case full && !closing:
		s.refused(n.RemoteAddr().String(), "too many connections", fmt.Sprintf("%d are open", s.limits.Connections))
		n.Close()
	case full || closing:
		n.Close()
	default:
		go func() {
			defer s.open.Done()
			c.run()
		}()
	}
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	c.net.Close()
}

func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Stop ends the server: answers on their way go out until ctx ends, fetches that
// wait answer with what there is, and every connection is closed. It may be
// called again.
func (s *Server) Stop(ctx context.Context) {
	s.mu.Lock()
	if !s.isClosing() {
		close(s.closing)
	}
	for c := range s.conns {
		_ = c.net.SetReadDeadline(time.Now()) // ends a read; see conn.await
	}
	s.mu.Unlock()
	s.listener.Close()
	<-s.accepted
	done := make(chan struct{})
	go func() { s.open.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		s.cut()
		<-done
	}
}

// cut closes all connections as they are.
func (s *Server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.net.Close()
	}
}

// tellEvery is how often one reason is told.
const tellEvery = time.Minute

// refused counts what a client did not get, and tells of it now and then.
func (s *Server) refused(client, why, detail string) {
	s.stats.refused.Add(1)
	if s.cfg.Events.Refused == nil {
		return
	}
	s.mu.Lock()
	now := time.Now()
	due := now.Sub(s.told[why]) >= tellEvery
	if due {
		s.told[why] = now
	}
	s.mu.Unlock()
	if due {
		s.cfg.Events.Refused(client, why+": "+detail)
	}
}
