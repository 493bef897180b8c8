//go:build unix

package security

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// shown gives the certificate that a Postgres shows.
func shown(address string) ([]byte, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	request := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), sslRequest)
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil || answer[0] != 'S' {
		return nil, errors.Join(err, errors.New("the server has no TLS"))
	}
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // it is only looked at
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	return c.ConnectionState().PeerCertificates[0].Raw, nil
}
