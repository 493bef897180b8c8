package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A conn is one connection: its requests are answered one after another, as
// Kafka does it, so that what is in flight is bounded by the connections.
//
//	await ─► read ─► decode ─► answer ─► send ─┐
//	  ▲                                        │
//	  └────────────────────────────────────────┘
//
// One goroutine owns all of it.
type conn struct {
	*Server
	net    net.Conn
	client string // as it named itself last
	in     []byte // of the last request
	plain  []byte // its body without tags
	out    []byte // of the last answer without records

	authenticated bool
	handshaken    bool  // a SASL mechanism was agreed on
	slot          *slot // of the answer under way, nil if it has no records
	last          bool  // the connection ends behind this answer
}

// run answers requests until the client leaves, sends what is not accepted, or
// the server stops.
func (c *conn) run() {
	defer c.forget(c)
	until := time.Now().Add(c.limits.Login)
	if err := c.begin(until); err != nil {
		c.leave(err)
		return
	}
	for {
		if c.authenticated {
			until = time.Now().Add(c.limits.Idle)
		}
		f, err := c.await(until)
		if err == nil {
			err = c.serve(f)
		}
		if err != nil || c.last {
			c.leave(err)
			return
		}
	}
}

// begin does what comes before the first request.
func (c *conn) begin(until time.Time) error {
	if t, ok := c.net.(*tls.Conn); ok {
		ctx, cancel := context.WithDeadline(context.Background(), until)
		defer cancel()
		if err := t.HandshakeContext(ctx); err != nil {
			return &refusal{"a connection without TLS, or with another one", err.Error()}
		}
	}
	token, err := c.token()
	c.authenticated = token == ""
	return err
}

func (c *conn) token() (string, error) {
	if c.cfg.Token == nil {
		return "", nil
	}
	token, err := c.cfg.Token()
	if err != nil {
		return "", &refusal{"the token cannot be read", err.Error()}
	}
	return token, nil
}

// await waits for the next request until a time. A Stop that comes before the
// deadline is set is seen by the check behind it, one that comes later moves the
// deadline.
func (c *conn) await(until time.Time) (f frame, err error) {
	limit := c.limits.RequestBytes
	if !c.authenticated {
		limit = min(limit, strangerBytes)
	}
	if err := c.net.SetReadDeadline(until); err != nil {
		return f, err
	}
	if c.isClosing() {
		return f, io.EOF
	}
	if cap(c.in) > keptBytes {
		c.in, c.plain = nil, nil
	}
	f, c.in, err = readFrame(c.net, c.in, limit)
	return f, err
}

// leave tells why a connection ends, if somebody should know.
func (c *conn) leave(err error) {
	var r *refusal
	if errors.As(err, &r) {
		c.refused(c.who(), r.why, r.detail)
	}
}

// who is the client, for people.
func (c *conn) who() string {
	return fmt.Sprintf("%s (client id %q)", c.net.RemoteAddr(), c.client)
}

// serve answers one request.
func (c *conn) serve(f frame) error {
	defer c.free()
	answer, err := c.answer(f)
	if err != nil || answer == nil {
		return err
	}
	out := &c.out
	if c.slot != nil {
		out = &c.slot.out
	}
	*out = appendAnswer((*out)[:0], f.correlation, answer)
	if err := c.send(*out); err != nil {
		return err
	}
	if cap(c.out) > keptBytes {
		c.out = nil
	}
	c.stats.requests.Add(1)
	return nil
}

// free gives the slot of the answer back.
func (c *conn) free() {
	if c.slot != nil {
		c.slots.give(c.slot)
		c.slot = nil
	}
}

// answer makes the answer to a request; nil is none.
func (c *conn) answer(f frame) (kmsg.Response, error) {
	a := c.apis[f.key]
	switch {
	case a == nil:
		return nil, &refusal{"a kind of request that is not answered", name(f.key)}
	case f.key == int16(kmsg.ApiVersions) && a.bodies[f.version] == nil:
		return c.tooNew(), nil
	case a.bodies[f.version] == nil:
		return nil, &refusal{"a version of a request that is not answered", fmt.Sprintf("%s version %d, from %d to %d are", name(f.key), f.version, a.min, a.max)}
	case !c.authenticated && !a.stranger:
		return nil, &refusal{"a request without a login", name(f.key) + "; the client needs SASL PLAIN with serve.token as its password"}
	}
	request, err := c.decode(a, &f)
	if err != nil {
		return nil, &refusal{"a request that cannot be read", fmt.Sprintf("%s version %d: %s", name(f.key), f.version, err)}
	}
	answer, err := a.answer(c, request)
	if answer != nil {
		answer.SetVersion(f.version)
	}
	return answer, err
}

// decode reads a request whose kind and version are known.
func (c *conn) decode(a *api, f *frame) (kmsg.Request, error) {
	b := a.bodies[f.version]
	if err := f.header(b.flexible); err != nil {
		return nil, err
	}
	c.client = f.client
	var err error
	if c.plain, err = b.measure(c.plain[:0], f.body, c.limits.RequestBytes/elementBytes); err != nil {
		return nil, err
	}
	request := kmsg.RequestForKey(f.key)
	request.SetVersion(f.version)
	return request, request.ReadFrom(c.plain)
}

// elementBytes is how large a request must be allowed to be for each element
// that its arrays may have together: it bounds what decoding takes.
const elementBytes = 32

// sendBytes go out before the deadline is moved.
const sendBytes = 64 << 10

// send writes an answer, as long as the client goes on taking it.
func (c *conn) send(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), sendBytes)
		if err := c.net.SetWriteDeadline(time.Now().Add(c.limits.Send)); err != nil {
			return err
		}
		n, err := c.net.Write(b[:n])
		c.stats.bytes.Add(uint64(n))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return &refusal{"an answer that the client does not take", fmt.Sprintf("nothing for %s", c.limits.Send)}
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// advertised is the address that this client is told to connect to: what is
// configured, or else what it dialled, as far as that can be known.
func (c *conn) advertised() (host string, port int32) {
	if c.cfg.Advertised != "" {
		host, port, _ = splitAddress(c.cfg.Advertised) // checked by Serve
		return host, port
	}
	host, port, _ = splitAddress(c.net.LocalAddr().String())
	if t, ok := c.net.(*tls.Conn); ok && t.ConnectionState().ServerName != "" {
		host = t.ConnectionState().ServerName // the name that its certificate is checked against
	}
	return host, port
}

func splitAddress(address string) (host string, port int32, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q: %w", text, err)
	}
	return host, int32(n), nil
}
