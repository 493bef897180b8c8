package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Certificate is one that a connection showed or was shown, for those who
// watch when it ends (K28).
type Certificate struct {
	Of  string // "client", or a broker's host:port
	End time.Time
}

// dial connects to a broker. The files of TLS are read anew for each connection,
// so that a certificate that was exchanged counts from the next one on (K28).
func (c *Config) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.DialTimeout)
	defer cancel()
	raw, err := c.reach(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn, err := c.secure(ctx, raw, address)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Config) reach(ctx context.Context, network, address string) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// secure puts TLS over a connection. Without TLS, only this machine may be at
// its other end: a cluster tells addresses of its own, so that the file's being
// on this machine is not enough (X01, X02).
func (c *Config) secure(ctx context.Context, raw net.Conn, address string) (net.Conn, error) {
	if c.TLS == nil {
		if !c.Insecure && !isLoopback(raw.RemoteAddr()) {
			return nil, c.exposed(address)
		}
		return raw, nil
	}
	conf, err := c.TLS()
	if err != nil {
		return nil, err
	}
	if conf.ServerName == "" {
		conf.ServerName, _, _ = net.SplitHostPort(address)
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, untrusted(address, conf.ServerName, err)
	}
	c.showCertificates(address, conf, conn)
	return conn, nil
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback() // what is no TCP does not leave this machine
}

func (c *Config) exposed(address string) error {
	return &pipeline.Refusal{
		Code: codeTLS, Where: "broker " + address, What: "it is not on this machine, and the connection would be plaintext",
		Mend: "kafka: {tls: {}}   # or insecure: true below kafka, if the network is trusted",
	}
}

// showCertificates tells when the certificates of a connection end.
func (c *Config) showCertificates(address string, conf *tls.Config, conn *tls.Conn) {
	tell := c.Events.Certificate
	if tell == nil {
		return
	}
	if chain := conn.ConnectionState().PeerCertificates; len(chain) > 0 {
		tell(Certificate{Of: address, End: chain[0].NotAfter})
	}
	for i := range conf.Certificates {
		leaf, err := x509.ParseCertificate(conf.Certificates[i].Certificate[0])
		if err == nil {
			tell(Certificate{Of: "client", End: leaf.NotAfter})
		}
	}
}

// untrusted says why a TLS handshake failed, and what mends it. A network that
// broke is none of this.
func untrusted(address, name string, err error) error {
	r := &pipeline.Refusal{Code: codeTLS, Where: "broker " + address, Err: err}
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		r.What = "its certificate is not signed by an authority that is trusted"
		r.Mend = "tls: {ca: FILE}   # the PEM certificate of the brokers' authority"
	case errors.As(err, &host):
		r.What = "its certificate is for other names than " + name
		r.Mend = "tls: {server_name: NAME}   # a name of the certificate; or brokers by such a name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		r.What = "its certificate has expired or does not count yet"
		r.Mend = "renew the broker's certificate; see that this machine's clock is right"
	case errors.As(err, &invalid):
		r.What, r.Mend = "its certificate cannot be used", "give the broker a certificate for servers"
	case errors.As(err, &record):
		r.What = "it does not speak TLS on this port"
		r.Mend = "brokers: [HOST:PORT]   # of a listener with TLS"
	case strings.Contains(err.Error(), "protocol version"): // ours or theirs; crypto/tls has no type for it
		r.What = "it speaks only TLS older than 1.2"
		r.Mend = "set ssl.enabled.protocols=TLSv1.2,TLSv1.3 on the brokers"
	case isAlert(err, &alert):
		return refusedByAlert(address, alert)
	case isHangUp(err):
		r.What = "it does not answer the TLS handshake, as a listener without TLS does not, and a broker that has stopped"
		r.Mend = "brokers: [HOST:PORT]   # of a listener with TLS"
	case errors.Is(err, context.DeadlineExceeded): // says nothing of its TLS (O10)
		r.Code, r.What = codeUnreachable, "it takes the connection, and does not end the TLS handshake in time: it or the network is slow, or the listener is of another protocol"
		r.Mend = "see that the broker runs and has the time to answer; brokers: [HOST:PORT]   # of a listener with TLS"
	default:
		return err
	}
	return r
}

// isAlert reports whether the other side said in TLS why it does not go on.
func isAlert(err error, alert **net.OpError) bool {
	return errors.As(err, alert) && (*alert).Op == "remote error"
}

// refusedByAlert says what an alert means: nearly always the certificate that we
// showed, or did not.
func refusedByAlert(address string, alert *net.OpError) error {
	return &pipeline.Refusal{
		Code: codeAuth, Where: "broker " + address, What: "it does not accept this client's TLS", Err: alert,
		Mend: "tls: {cert: FILE, key: FILE}   # a certificate that is valid and signed by an authority of the broker's truststore",
	}
}

// isHangUp reports whether the other side ended the connection.
func isHangUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// unanswered says what it means that a broker ends a new connection before it
// has answered anything; nil if err is no such thing. Kafka does so to plaintext
// on a port with TLS, and to whoever is silent where SASL is wanted.
func (c *Config) unanswered(err error) error {
	var alert *net.OpError
	if isAlert(err, &alert) {
		return refusedByAlert("", alert) // with TLS 1.3 it comes after the handshake
	}
	first, hung := errors.AsType[*kgo.ErrFirstReadEOF](err)
	const useTLS = "kafka: {tls: {}}   # with ca: FILE for an authority of your own; and sasl, if the listener wants it"
	switch {
	case c.TLS == nil && strings.Contains(err.Error(), "tls alert record"): // the client has no type for it
		return &pipeline.Refusal{Code: codeTLS, Where: c.seeds(), What: "the broker speaks TLS on this port, and the connection is plaintext", Mend: useTLS}
	case hung && c.TLS == nil:
		return &pipeline.Refusal{
			Code: codeTLS, Where: c.seeds(), What: "the broker ends plaintext connections at once, as a listener with TLS or SASL does, and one that is stopping", Err: errors.Unwrap(first),
			Mend: useTLS,
		}
	case hung && c.SASL == nil:
		return &pipeline.Refusal{
			Code: codeAuth, Where: c.seeds(), What: "the broker ends the connection at the first request, as a listener with SASL does, and one that is stopping", Err: errors.Unwrap(first),
			Mend: "kafka: {sasl: {mechanism: scram-sha-512, username: USER, password: SECRET}}",
		}
	}
	return nil
}
