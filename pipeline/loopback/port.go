package loopback

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports lie below the range that systems give to outgoing connections, which would
// take one while nobody listens there.
const (
	first = 15000
	last  = 31999
)

// tries bounds how many numbers are looked at.
const tries = 1000

// A Port is a TCP port of 127.0.0.1 that nobody else gets from this package, in any
// process, until Close.
type Port struct {
	Number int
	mark   net.PacketConn
}

// Take chooses a port on which nobody listens. The caller closes it when its server is
// gone for good.
func Take() (*Port, error) { return TakeBetween(first, last) }

// TakeBetween is Take for who can listen at some ports only, both ends among them.
func TakeBetween(lowest, highest int) (*Port, error) {
	for range tries {
		if p := take(lowest + rand.IntN(highest-lowest+1)); p != nil {
			return p, nil
		}
	}
	return nil, errors.New("a thousand loopback ports were all taken")
}

// take marks a number, unless it is marked or in use.
func take(number int) *Port {
	p := &Port{Number: number}
	var err error
	if p.mark, err = net.ListenPacket("udp4", p.Address()); err != nil {
		return nil
	}
	l, err := net.Listen("tcp4", p.Address())
	if err != nil {
		p.Close()
		return nil
	}
	_ = l.Close()
	return p
}

// Address is host and port, to listen at or to connect to.
func (p *Port) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number)) }

// Close lets others choose the port. It may be called again, and of no port.
func (p *Port) Close() {
	if p != nil {
		_ = p.mark.Close()
	}
}

// ErrTaken is the error of a start at whose port somebody else listens after all: one who
// does not ask this package.
var ErrTaken = errors.New("the port is taken")

// starts is how often a start is tried at other ports.
const starts = 5

// Retry calls start, which chooses ports and starts a server there, again as long as its
// error is ErrTaken, a few times.
func Retry(start func() error) error {
	err := ErrTaken
	for try := 0; try < starts && errors.Is(err, ErrTaken); try++ {
		err = start()
	}
	return err
}
