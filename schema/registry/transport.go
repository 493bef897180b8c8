package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// Credentials are how a client says who it is: a bearer token, or else a user
// with a password, or neither.
type Credentials struct {
	User, Password string
	Token          string
}

// put writes them into a request.
func (c Credentials) put(req *http.Request) {
	switch {
	case c.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.Token)
	case c.User != "" || c.Password != "":
		req.SetBasicAuth(c.User, c.Password)
	}
}

// maxResponse bounds what is read of an answer (X18).
const maxResponse = 64 << 20

// httpClient follows no redirect to another host (X09), reads no more than
// maxResponse, and repeats what failed in passing.
func httpClient(c *Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialTLSContext = c.dialTLS
	return &http.Client{
		Transport: repeating{limited{transport}, c.Timeout, c.Events.Asked},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 5 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
				return errRedirect
			}
			return nil
		},
	}
}

var errRedirect = errors.New("the registry redirects to another host")

// dialTLS makes each connection with certificates that are read for it, so that
// those that were replaced count (K28).
func (c *Config) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		own, err := c.TLS()
		if err != nil {
			return nil, &settingsError{err}
		}
		if own != nil {
			config = own
		}
	}
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: config}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.showCertificates(address, config, conn.(*tls.Conn).ConnectionState())
	return conn, nil
}

// showCertificates tells when the certificates of a connection end.
func (c *Config) showCertificates(address string, config *tls.Config, state tls.ConnectionState) {
	tell := c.Events.Certificate
	if tell == nil {
		return
	}
	if chain := state.PeerCertificates; len(chain) > 0 {
		tell(address, chain[0].NotAfter)
	}
	for i := range config.Certificates {
		if leaf, err := x509.ParseCertificate(config.Certificates[i].Certificate[0]); err == nil {
			tell("client", leaf.NotAfter)
		}
	}
}

// limited cuts answers off.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = body{io.LimitReader(resp.Body, maxResponse), resp.Body}
	}
	return resp, err
}

type body struct {
	io.Reader
	io.Closer
}

// requests is how often a request is made until its failure counts.
const requests = 4

// repeating makes a request again when it failed in passing: no connection, a
// server that is starting, ending or too busy. Whatever we ask of a registry can
// be asked twice.
type repeating struct {
	http.RoundTripper
	timeout time.Duration                        // of one try
	asked   func(status int, took time.Duration) // nil: nobody wants to know
}

func (r repeating) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := r.persist(req)
	if r.asked != nil && !errors.Is(err, context.Canceled) {
		status := 0
		if err == nil {
			status = resp.StatusCode
		}
		r.asked(status, time.Since(began))
	}
	return resp, err
}

func (r repeating) persist(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		again, err := copyOf(req)
		if err != nil {
			return nil, err
		}
		resp, err := r.once(again)
		if try == requests || !passing(resp, err) {
			return resp, err
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
		wait := 100 * time.Millisecond << try
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}

// once bounds one try, body included.
func (r repeating) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), r.timeout)
	resp, err := r.RoundTripper.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &closing{resp.Body, cancel}
	return resp, nil
}

// closing ends a context with the body that needs it.
type closing struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *closing) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

func copyOf(req *http.Request) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.GetBody == nil {
		return again, nil
	}
	var err error
	again.Body, err = req.GetBody()
	return again, err
}

// passing reports whether the same request may go well later. A certificate that
// is not accepted will not be.
func passing(resp *http.Response, err error) bool {
	if err != nil {
		var certificate *tls.CertificateVerificationError
		var network net.Error
		return !errors.As(err, &certificate) && (errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
