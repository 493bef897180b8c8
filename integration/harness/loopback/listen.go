// Package loopback gives listeners whose port is free again after a restart: it lies
// below the range that systems give to outgoing connections.
package loopback

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	firstPort = 15000
	lastPort  = 31999
	tries     = 100
)

// Listen listens on a free port of 127.0.0.1. It may be called at the same time.
func Listen() (net.Listener, error) {
	for range tries {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return l, nil
		}
	}
	return nil, errors.New("a hundred loopback ports were all taken")
}
