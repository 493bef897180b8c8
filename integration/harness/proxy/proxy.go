// Package proxy stands between a client and a server and breaks their
// connections in the ways that networks do.
//
//	client ──► listener ──► pump ──► server     one pump per direction and
//	       ◄── pump ◄───────────────            connection; all of a direction obey one mode
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
	pass    mode = iota // they go on
	stall               // they wait; the peers feel it once the buffers are full
	drop                // they vanish without a sign, as behind a dead middlebox
	trickle             // they go on a few at a time
	shrink              // a large piece vanishes, and with it all behind it on its connection
	cut                 // the connection is reset behind some of them, in the middle of whatever they say
)

// A Direction is one of the two that bytes take.
type Direction int

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// What trickles, and how long until the next of it.
const (
	trickleBytes = 64
	trickleEvery = time.Millisecond
)

// A Proxy forwards connections to one target. Its methods may be called from
// any goroutine.
type Proxy struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	modes    [2]mode
	most     int           // bytes: of a piece that is not too large, of what passes before a cut
	struck   int           // how often bytes trickled, vanished as too large, or were the last of a connection
	changed  chan struct{} // closed and made anew when a mode changes
	links    map[*link]bool
	accepted int
}

// A link is one connection through the proxy.
type link struct {
	client, server net.Conn
	hurt           bool    // bytes of it vanished
	lost           [2]bool // a piece that was too large vanished, so that nothing comes behind it
	passed         int     // bytes to the client
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
func (p *Proxy) Stall() { p.set(0, stall, stall) }

// Blackhole lets bytes vanish in both directions. Connections that lost some are
// reset by the next Pass, as a network does when it comes back.
func (p *Proxy) Blackhole() { p.set(0, drop, drop) }

// Swallow is Blackhole of one direction: the other one passes.
func (p *Proxy) Swallow(d Direction) {
	both := [2]mode{}
	both[d] = drop
	p.set(0, both[ToServer], both[ToClient])
}

// Trickle lets bytes through a few at a time, 64 kB a second.
func (p *Proxy) Trickle() { p.set(0, trickle, trickle) }

// Shrink lets pieces of more than this many bytes vanish on their way to the client, as
// packets do whose size somebody refuses without a word. What is behind one waits for it.
func (p *Proxy) Shrink(most int) { p.set(most, pass, shrink) }

// CutBehind resets every connection when this many more bytes have come to its client.
func (p *Proxy) CutBehind(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.passed = 0
	}
	p.most = bytes
	p.turn(pass, cut)
}

// AwaitStruck waits until what is set now has struck n more times.
func (p *Proxy) AwaitStruck(t testing.TB, n int, within time.Duration) {
	t.Helper()
	timeout := time.After(within)
	for want := p.Struck() + n; p.Struck() < want; {
		select {
		case <-timeout:
			t.Fatalf("it struck too seldom within %s", within)
		case <-time.After(5 * time.Millisecond): // the period of looking
		}
	}
}

// Struck counts how often Trickle, Shrink or CutBehind have struck.
func (p *Proxy) Struck() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck
}

// Pass lets bytes through again.
func (p *Proxy) Pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if l.hurt {
			l.reset()
		}
	}
	p.turn(pass, pass) // under the same lock: no link is hurt behind the look at it
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

func (p *Proxy) set(most int, toServer, toClient mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = most
	p.turn(toServer, toClient)
}

// turn is called with the lock held.
func (p *Proxy) turn(toServer, toClient mode) {
	p.modes = [2]mode{toServer, toClient}
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
	if !p.gate(l, ToServer, 1) || !p.gate(l, ToClient, 0) {
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
	wg.Go(func() { p.pump(l, ToServer, server, l.client) })
	wg.Go(func() { p.pump(l, ToClient, l.client, server) })
	wg.Wait()
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
	l.close()
}

// pump copies until either end is gone, and then ends both.
func (p *Proxy) pump(l *link, d Direction, to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 16<<10)
	for {
		if !p.gate(l, d, 0) {
			return
		}
		n, err := from.Read(buf)
		for b := buf[:n]; len(b) > 0 && p.gate(l, d, len(b)); {
			now, pause := p.piece(l, d, len(b))
			time.Sleep(pause)
			if _, err := to.Write(b[:now]); err != nil || now == 0 {
				return
			}
			b = b[now:]
		}
		if err != nil {
			return
		}
	}
}

// gate waits while bytes wait. It gives false when n bytes are to vanish.
func (p *Proxy) gate(l *link, d Direction, n int) bool {
	for {
		p.mu.Lock()
		m, changed, isThrough := p.modes[d], p.changed, l.server != nil
		if m == drop && n > 0 {
			l.hurt = true
		}
		if m == shrink && n > p.most {
			l.hurt, l.lost[d] = true, true
			p.struck++
		}
		lost := l.lost[d]
		p.mu.Unlock()
		switch {
		case m == drop && n > 0 && isThrough, lost && n > 0:
			return false // swallowed; the pump reads on
		case m != stall && (m != drop || n == 0):
			return true
		}
		<-changed // when it drops, a new connection never comes through
	}
}

// piece says how many of n bytes are written next, and after which pause; none: the
// connection is at its end.
func (p *Proxy) piece(l *link, d Direction, n int) (now int, pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.modes[d] {
	case trickle:
		p.struck++
		return min(n, trickleBytes), trickleEvery
	case cut:
		now = min(n, p.most-l.passed)
		if l.passed += now; now == 0 {
			p.struck++
			l.reset()
		}
		return now, 0
	}
	return n, 0
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
