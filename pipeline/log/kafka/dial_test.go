package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log/kafka/certtest"
	"github.com/twmb/franz-go/pkg/kfake"
)

// A door is a listener of brokers and how a client comes to it.
type door struct {
	name   string
	server func(s *tls.Config) // nil is plaintext
	client func(c *tls.Config)
	plain  bool // the client speaks no TLS
	soon   bool // it gives up after a second
	middle func(t *testing.T, broker string) string
	code   pipeline.Code // empty: it opens
	says   string
}

// TestDoors tries right and wrong clients at right and wrong listeners: each
// refusal is one sentence, with a code and something that mends it.
func TestDoors(t *testing.T) {
	ours, others := certtest.New(t, "ours"), certtest.New(t, "others")
	here := []string{"127.0.0.1", "localhost"}
	right := ours.Issue(t, certtest.Leaf{Name: "broker", Hosts: here}).TLS(t)
	client := ours.Issue(t, certtest.Leaf{Name: "evert"}).TLS(t)
	stranger := others.Issue(t, certtest.Leaf{Name: "evert"}).TLS(t)
	expired := ours.Issue(t, certtest.Leaf{Name: "broker", Hosts: here, End: time.Now().Add(-time.Hour)}).TLS(t)
	elsewhere := ours.Issue(t, certtest.Leaf{Name: "broker", Hosts: []string{"kafka.example"}}).TLS(t)
	shows := func(c tls.Certificate) func(*tls.Config) {
		return func(s *tls.Config) { s.Certificates = []tls.Certificate{c} }
	}
	mutual := func(s *tls.Config) {
		shows(right)(s)
		s.ClientAuth, s.ClientCAs = tls.RequireAndVerifyClientCert, ours.Pool()
	}
	for _, d := range []door{
		{name: "X01 right", server: shows(right)},
		{name: "X01 right by its other name", server: shows(elsewhere), client: func(c *tls.Config) { c.ServerName = "kafka.example" }},
		{name: "X01 right with a client's certificate", server: mutual, client: shows(client)},
		{name: "X01 wrong authority", server: shows(right), client: func(c *tls.Config) { c.RootCAs = others.Pool() }, code: codeTLS, says: "not signed by an authority that is trusted"},
		{name: "X01 the system's authorities", server: shows(right), client: func(c *tls.Config) { c.RootCAs = nil }, code: codeTLS, says: "not signed by an authority that is trusted"},
		{name: "X01 wrong name", server: shows(elsewhere), code: codeTLS, says: "for other names than 127.0.0.1"},
		{name: "X01 expired", server: shows(expired), code: codeTLS, says: "has expired"},
		{name: "X01 plaintext to a port with TLS", server: shows(right), plain: true, code: codeTLS, says: "ends plaintext connections"},
		{name: "X01 TLS to a plaintext port", soon: true, code: codeUnreachable, says: "TLS"}, // the fake waits for the rest of what it takes for a request
		{name: "X01 a proxy that strips TLS", server: shows(right), middle: stripping(ours), soon: true, code: codeUnreachable, says: "TLS"},
		{name: "O10 K28 a broker that is too slow for TLS", server: shows(right), middle: silent, soon: true, code: codeUnreachable, says: "does not end the TLS handshake in time"},
		{name: "X01 old TLS", server: func(s *tls.Config) { shows(right)(s); s.MaxVersion = tls.VersionTLS11; s.MinVersion = tls.VersionTLS10 }, code: codeTLS, says: "older than 1.2"},
		{name: "X02 no client certificate where one is wanted", server: mutual, code: codeAuth, says: "does not accept this client's TLS"},
		{name: "X02 a client certificate of another authority", server: mutual, client: shows(stranger), code: codeAuth, says: "does not accept this client's TLS"},
	} {
		t.Run(d.name, func(t *testing.T) { d.try(t, ours) })
	}
}

func (d *door) try(t *testing.T, ours *certtest.Authority) {
	var opts []kfake.Opt
	if d.server != nil {
		s := &tls.Config{}
		d.server(s)
		opts = append(opts, kfake.TLS(s))
	}
	cfg := config(cluster(t, opts...))
	if d.soon {
		cfg.DialTimeout = time.Second
	}
	if d.middle != nil {
		cfg.Brokers = []string{d.middle(t, cfg.Brokers[0])}
	}
	if !d.plain {
		cfg.TLS = func() (*tls.Config, error) {
			c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ours.Pool()}
			if d.client != nil {
				d.client(c)
			}
			return c, nil
		}
	}
	l, err := Open(within(t, 3*time.Minute), cfg)
	if err == nil {
		defer l.Close()
	}
	d.judge(t, err)
}

func (d *door) judge(t *testing.T, err error) {
	t.Helper()
	if d.code == "" {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	var r *pipeline.Refusal
	if !errors.As(err, &r) || r.Code != d.code || !strings.Contains(r.What, d.says) || r.Mend == "" || strings.Contains(r.What, "\n") {
		t.Fatalf("got %v, want [%s] with %q and a mend", err, d.code, d.says)
	}
}

// silent is a proxy that takes connections, and nothing from them.
func silent(t *testing.T, _ string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0") // its backlog takes them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// stripping is a proxy that speaks TLS with the broker and plaintext with the
// client.
func stripping(trusted *certtest.Authority) func(t *testing.T, broker string) string {
	return func(t *testing.T, broker string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		t.Cleanup(func() { l.Close(); all.Wait() })
		all.Go(func() {
			for {
				in, err := l.Accept()
				if err != nil {
					return
				}
				all.Go(func() { strip(in, broker, trusted) })
			}
		})
		return l.Addr().String()
	}
}

func strip(in net.Conn, broker string, trusted *certtest.Authority) {
	defer in.Close()
	out, err := tls.Dial("tcp", broker, &tls.Config{RootCAs: trusted.Pool(), ServerName: "127.0.0.1"})
	if err != nil {
		return
	}
	defer out.Close()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(out, in); out.Close() })
	_, _ = io.Copy(in, out)
	in.Close()
	both.Wait()
}

// X02: without TLS, no connection leaves this machine unless the file says so;
// not even to a broker that the cluster names.
func TestPlaintextStaysHere(t *testing.T) {
	cfg := config(cluster(t))
	far := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 9092}
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return distant{c, far}, err
	}
	_, err := Open(within(t, 3*time.Minute), cfg)
	same(t, pipeline.CodeOf(err), codeTLS)
	cfg.Insecure = true
	open(t, cfg)
}

// distant is a connection whose other end seems to be elsewhere.
type distant struct {
	net.Conn
	at net.Addr
}

func (d distant) RemoteAddr() net.Addr { return d.at }

// K28: certificate files that are replaced while a log is open count from its
// next connection on, and each connection tells when its certificates end.
func TestCertificatesAreReadAnew(t *testing.T) {
	ours, others := certtest.New(t, "ours"), certtest.New(t, "others")
	c := cluster(t, kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{ours.Issue(t, certtest.Leaf{Name: "broker", Hosts: []string{"127.0.0.1"}}).TLS(t)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ours.Pool(),
	}))
	dir := t.TempDir()
	write := func(a *certtest.Authority, end time.Time) {
		a.Issue(t, certtest.Leaf{Name: "evert", End: end}).Files(t, dir, "client")
	}
	soon := time.Now().Add(60 * time.Second).UTC().Truncate(time.Second)
	write(ours, soon)
	cfg := config(c)
	cfg.TLS = func() (*tls.Config, error) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.crt"), filepath.Join(dir, "client.key"))
		return &tls.Config{RootCAs: ours.Pool(), Certificates: []tls.Certificate{pair}}, err
	}
	var mu sync.Mutex
	ends := map[string]time.Time{}
	cfg.Events.Certificate = func(c Certificate) {
		mu.Lock()
		defer mu.Unlock()
		ends[c.Of] = c.End.UTC()
	}
	told := func(of string) time.Time {
		mu.Lock()
		defer mu.Unlock()
		return ends[of]
	}
	l := open(t, cfg)
	same(t, told("client"), soon)
	if end := told(c.ListenAddrs()[0]); !end.After(soon) {
		t.Errorf("the broker's certificate ends %v", end)
	}
	write(others, soon)
	_, err := l.Writer(within(t, 3*time.Minute), "w")
	if err == nil {
		t.Fatal("the certificate of another authority was not used")
	}
	later := soon.Add(time.Hour)
	write(ours, later)
	writer(t, l, "w")
	same(t, told("client"), later)
	if err := os.WriteFile(filepath.Join(dir, "client.key"), []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = l.Writer(within(t, 3*time.Minute), "w2"); err == nil || bytes.Contains([]byte(err.Error()), []byte("canary")) {
		t.Errorf("X14 a broken key gives %v", err)
	}
}
