//go:build unix

package kafkaserver

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that systems give to outgoing
// connections, so that a node finds its port free again after a restart.
const (
	firstPort = 15000
	lastPort  = 31999
)

// freePort gives a loopback port on which nobody listened a moment ago.
func freePort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("a hundred loopback ports were all taken")
}
