package proxy_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/evertdb/evert/integration/harness/proxy"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { _, _ = io.Copy(c, c); _ = c.Close() })
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func hearNothing(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("heard %d bytes, %v; want silence", n, err)
	}
}

func TestStories(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("pass · stall · pass", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		c := dial(t, p)
		say(t, c, "one")
		hear(t, c, "one")
		p.Stall()
		say(t, c, "two")
		hearNothing(t, c)
		p.Pass()
		hear(t, c, "two")
	})
	t.Run("one way is silent", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		c := dial(t, p)
		say(t, c, "one")
		hear(t, c, "one")
		for _, d := range []proxy.Direction{proxy.ToServer, proxy.ToClient} {
			p.Swallow(d)
			say(t, c, "two")
			hearNothing(t, c)
			p.Pass()
			c = dial(t, p)
			say(t, c, "three")
			hear(t, c, "three")
		}
	})
	t.Run("trickle: all of it, in pieces", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		p.Trickle()
		c := dial(t, p)
		text := strings.Repeat("piece ", 100)
		say(t, c, text)
		hear(t, c, text)
		if n := p.Struck(); n < 2*len(text)/64 {
			t.Errorf("it came in %d pieces", n)
		}
	})
	t.Run("shrink: what is large vanishes, and what is behind it", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		c := dial(t, p)
		p.Shrink(10)
		say(t, c, "small")
		hear(t, c, "small")
		say(t, c, "larger than ten bytes")
		hearNothing(t, c)
		say(t, c, "small")
		hearNothing(t, c)
		if p.Struck() != 1 || p.Hurt() != 1 {
			t.Errorf("struck %d times, %d hurt", p.Struck(), p.Hurt())
		}
		p.Pass()
		c = dial(t, p)
		say(t, c, "larger than ten bytes")
		hear(t, c, "larger than ten bytes")
	})
	t.Run("cut behind some bytes, in the middle of a word", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		c := dial(t, p)
		say(t, c, "before")
		hear(t, c, "before")
		p.CutBehind(3)
		say(t, c, "word")
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if got, err := io.ReadAll(c); err == nil || len(got) > 3 { // what is not read yet goes with a reset
			t.Errorf("heard %q, %v", got, err)
		}
	})
	t.Run("pass · blackhole · pass: reset, and the next one is well", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		c := dial(t, p)
		say(t, c, "one")
		hear(t, c, "one")
		p.Blackhole()
		say(t, c, "two")
		for p.Hurt() == 0 { // the bytes are still on their way
			runtime.Gosched()
		}
		hearNothing(t, c)
		p.Pass()
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a connection that lost bytes lives on: %v", err)
		}
		next := dial(t, p)
		say(t, next, "three")
		hear(t, next, "three")
	})
	t.Run("cut", func(t *testing.T) {
		p := proxy.New(t, echo(t))
		c := dial(t, p)
		say(t, c, "one")
		hear(t, c, "one")
		p.Cut()
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a cut connection lives on: %v", err)
		}
		if p.Accepted() != 1 {
			t.Fatalf("accepted %d connections", p.Accepted())
		}
	})
}
