package postgres

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"testing"
)

// A moment is when a connection is cut, as seen from a COMMIT on its way.
type moment int

const (
	never   moment = iota
	before         // the COMMIT does not reach the server
	during         // it does, and nobody waits for what comes of it
	after          // its answer does not reach the client
	moments        // how many there are
)

// A cutter stands between a client and a Postgres server, and cuts connections
// around COMMIT.
type cutter struct {
	url    string // through the cutter
	target string

	mu   sync.Mutex
	when moment // of the next COMMIT
}

func newCutter(t testing.TB, target string) *cutter {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{target: u.Host}
	u.Host = l.Addr().String()
	c.url = u.String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return c
}

func (c *cutter) arm(when moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.when = when
}

func (c *cutter) fire() moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	when := c.when
	c.when = never
	return when
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer server.Close()
	cut := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { c.answers(client, server, cut) })
	defer wg.Wait()
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		when := never
		if bytes.Contains(buf[:n], []byte("COMMIT\x00")) {
			when = c.fire()
		}
		if when == before {
			return
		}
		if when == after {
			close(cut)
		}
		if _, err := server.Write(buf[:n]); err != nil || when == during {
			return
		}
	}
}

// answers passes on what the server says, until it is cut: then the next answer
// ends the connection.
func (c *cutter) answers(client, server net.Conn, cut chan struct{}) {
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		select {
		case <-cut:
			return
		default:
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}
