package configs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// Build gives the settings of a client's connection, with certificates read
// now; nil is plaintext. The error names a file and never holds what is in it.
func (t *TLS) Build() (*tls.Config, error) {
	if t == nil || t.Mode == TLSDisable {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("read tls.ca %s: %w", t.CA, cause(err))
		}
		if out.RootCAs = x509.NewCertPool(); !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read tls.ca %s: it holds no PEM certificate", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("read tls.cert %s and tls.key %s: %w", t.Cert, t.Key, cause(err))
		}
		out.Certificates = []tls.Certificate{pair}
	}
	switch t.Mode {
	case TLSInsecure:
		out.InsecureSkipVerify = true
	case TLSVerifyCA:
		verifyChainOnly(out)
	}
	return out, nil
}

// verifyChainOnly verifies the chain of certificates and not the host's name.
func verifyChainOnly(c *tls.Config) {
	roots := c.RootCAs
	c.InsecureSkipVerify = true // replaced by VerifyConnection, which also runs on resumption
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("the server shows no certificate")
		}
		between := x509.NewCertPool()
		for _, cert := range s.PeerCertificates[1:] {
			between.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		return err
	}
}
