// Package proxy stands between a client and a server and breaks their
// connections in the ways that networks do.
//
//	client ──► listener ──► pump ──► server     one pump per direction and
//	       ◄── pump ◄───────────────            connection; all obey one mode
//
// A pump looks at the mode before it reads and again before it writes, so that a
// change of mode strikes also what is under way.
package proxy

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A mode says what becomes of bytes.
type mode int

const (
	pass  mode = iota // they go on
	stall             // they wait; the peers feel it once the buffers are full
	drop              // they vanish without a sign, as behind a dead middlebox
)

// A Proxy forwards connections to one target. Its methods may be called from
// any goroutine.
type Proxy struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	mode     mode
	changed  chan struct{} // closed and made anew when mode changes
	links    map[*link]bool
	accepted int
}

// A link is one connection through the proxy.
type link struct {
	client, server net.Conn
	hurt           bool // bytes of it vanished
}

// New listens on loopback until the test ends.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, changed: make(chan struct{}), links: map[*link]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() { p.accept(&wg) })
	t.Cleanup(func() {
		_ = l.Close()
		p.Pass()
		p.Cut()
		wg.Wait()
	})
	return p
}

// Address is where clients connect to, as host:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Accepted counts the connections so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// AwaitAccepted waits until there were n connections.
func (p *Proxy) AwaitAccepted(t testing.TB, n int, within time.Duration) {
	t.Helper()
	timeout := time.After(within)
	for p.Accepted() < n {
		select {
		case <-timeout:
			t.Fatalf("%d connections within %s, waited for %d", p.Accepted(), within, n)
		case <-time.After(5 * time.Millisecond): // the period of looking
		}
	}
}

// Stall lets bytes wait in both directions; Pass lets them go on.
func (p *Proxy) Stall() { p.set(stall) }

// Blackhole lets bytes vanish in both directions. Connections that lost some are
// reset by the next Pass, as a network does when it comes back.
func (p *Proxy) Blackhole() { p.set(drop) }

// Pass lets bytes through again.
func (p *Proxy) Pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.hurt {
			l.reset()
		}
	}
	p.turn(pass) // under the same lock: no link is hurt behind the look at it
}

// Hurt counts the connections there are that lost bytes.
func (p *Proxy) Hurt() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.hurt {
			n++
		}
	}
	return n
}

// Cut resets every connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.reset()
	}
}

func (p *Proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(m)
}

// turn is called with the lock held.
func (p *Proxy) turn(m mode) {
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) accept(wg *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		l := &link{client: client}
		p.mu.Lock()
		p.accepted++
		p.links[l] = true // whoever was counted can be cut
		p.mu.Unlock()
		wg.Go(func() { p.serve(l) })
	}
}

// serve joins a client to the target. While bytes wait or vanish the target is
// not even called.
func (p *Proxy) serve(l *link) {
	defer p.forget(l)
	if !p.gate(l, 1) {
		return
	}
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		return
	}
	p.mu.Lock()
	l.server = server
	p.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { p.pump(l, server, l.client) })
	wg.Go(func() { p.pump(l, l.client, server) })
	wg.Wait()
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	l.close()
}

// pump copies until either end is gone, and then ends both.
func (p *Proxy) pump(l *link, to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 16<<10)
	for {
		if !p.gate(l, 0) {
			return
		}
		n, err := from.Read(buf)
		if n > 0 && p.gate(l, n) {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// gate waits while bytes wait. It gives false when n bytes are to vanish.
func (p *Proxy) gate(l *link, n int) bool {
	for {
		p.mu.Lock()
		m, changed, isThrough := p.mode, p.changed, l.server != nil
		if m == drop && n > 0 {
			l.hurt = true
		}
		p.mu.Unlock()
		if m == pass || m == drop && n == 0 {
			return true
		}
		if m == drop {
			if isThrough {
				return false // swallowed; the pump reads on
			}
			<-changed // a new connection never comes through
			continue
		}
		<-changed
	}
}

// reset closes both ends with RST, so that nobody takes it for a clean end.
func (l *link) reset() {
	for _, c := range []net.Conn{l.client, l.server} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
	l.close()
}

func (l *link) close() {
	_ = l.client.Close()
	if l.server != nil {
		_ = l.server.Close()
	}
}
