// Package certtest makes certificate authorities and certificates for tests of
// connections.
package certtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An Authority signs certificates.
type Authority struct {
	PEM  []byte // its own certificate
	cert *x509.Certificate
	key  crypto.Signer
}

// A Leaf says what a certificate is for.
type Leaf struct {
	Name  string   // its common name
	Hosts []string // host names and addresses; none for a client
	From  time.Time
	End   time.Time // a day from now if zero
}

// A Pair is a certificate and its private key, in PEM; the key is PKCS #8.
type Pair struct{ Cert, Key []byte }

// New makes an authority.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	template := template(Leaf{Name: name})
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	a := &Authority{key: newKey(t)}
	a.cert = sign(t, template, template, a.key.Public(), a.key)
	a.PEM = block("CERTIFICATE", a.cert.Raw)
	return a
}

// Issue makes a certificate for servers and clients.
func (a *Authority) Issue(t testing.TB, l Leaf) Pair {
	t.Helper()
	key := newKey(t)
	cert := sign(t, template(l), a.cert, key.Public(), a.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{Cert: block("CERTIFICATE", cert.Raw), Key: block("PRIVATE KEY", der)}
}

// File writes the authority's certificate into a directory.
func (a *Authority) File(t testing.TB, dir string) string {
	t.Helper()
	return write(t, filepath.Join(dir, a.cert.Subject.CommonName+".pem"), a.PEM)
}

// Files writes a pair into a directory, over what lies there under the name.
func (p Pair) Files(t testing.TB, dir, name string) (cert, key string) {
	t.Helper()
	return write(t, filepath.Join(dir, name+".crt"), p.Cert), write(t, filepath.Join(dir, name+".key"), p.Key)
}

// TLS gives a pair as servers and clients in this process take it.
func (p Pair) TLS(t testing.TB) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Pool is a pool of this authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func template(l Leaf) *x509.Certificate {
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: l.Name}, NotBefore: l.From, NotAfter: l.End,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if l.From.IsZero() {
		c.NotBefore = time.Now().Add(-48 * time.Hour)
	}
	if l.End.IsZero() {
		c.NotAfter = time.Now().Add(24 * time.Hour)
	}
	for _, h := range l.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
	return c
}

func sign(t testing.TB, c, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
