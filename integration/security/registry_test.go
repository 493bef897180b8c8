//go:build unix

package security

import (
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/kafka/certtest"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/schema/registry/rest"
)

// schemas is a registry by Confluent's protocol, to be put behind doors.
func schemas(t *testing.T) http.Handler {
	t.Helper()
	l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	local, err := registry.Open(t.Context(), &log.Store{Log: l, Topic: "schemas"})
	if err != nil {
		t.Fatal(err)
	}
	return rest.Handler(local)
}

// behind serves a registry over TLS, or in plaintext without it, and gives its
// address without a scheme.
func behind(t *testing.T, next http.Handler, secure *tls.Config) string {
	t.Helper()
	s := httptest.NewUnstartedServer(next)
	s.Config.ErrorLog = stdlog.New(discard{}, "", 0)
	if s.TLS = secure; secure != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	_, address, _ := strings.Cut(s.URL, "://")
	return address
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// wanting lets requests through that carry a header.
func wanting(header func(*http.Request) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !header(r) {
			rest.Refuse(w, &registry.Error{Code: registry.CodeUnauthorized, Message: "Unauthorized"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// doors of one registry, by name: their addresses.
func registryDoors(t *testing.T, ours *certtest.Authority) map[string]string {
	t.Helper()
	here := []string{"127.0.0.1", "localhost"}
	shows := func(l certtest.Leaf) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ours.Issue(t, l).TLS(t)}}
	}
	mutual, old := shows(certtest.Leaf{Name: "registry", Hosts: here}), shows(certtest.Leaf{Name: "registry", Hosts: here})
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ours.Pool()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	right := shows(certtest.Leaf{Name: "registry", Hosts: here})
	all := schemas(t)
	basic := wanting(func(r *http.Request) bool {
		user, secret, ok := r.BasicAuth()
		return ok && user == "evert" && same(secret, password)
	}, all)
	bearer := wanting(func(r *http.Request) bool { return same(r.Header.Get("Authorization"), "Bearer "+password) }, all)
	return map[string]string{
		"TLS":       behind(t, all, right),
		"MUTUAL":    behind(t, all, mutual),
		"BASIC":     behind(t, basic, right),
		"BEARER":    behind(t, bearer, right),
		"EXPIRED":   behind(t, all, shows(certtest.Leaf{Name: "registry", Hosts: here, End: time.Now().Add(-time.Hour)})),
		"ELSEWHERE": behind(t, all, shows(certtest.Leaf{Name: "registry", Hosts: []string{"registry.example"}})),
		"OLD":       behind(t, all, old),
		"PLAIN":     behind(t, all, nil),
		"BUSY":      behind(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }), right),
		"HANGUP":    hangUp(t),
		"NOBODY":    nobody,
	}
}

// hangUp ends each connection that is made.
func hangUp(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

// nobody is an address on which nobody listens, and no test can: a port of the system's.
const nobody = "127.0.0.1:1"

// TestRegistry tries every door of a registry of others: the right keys open it,
// and each wrong one is told in a sentence, by the daemon and by check alike.
func TestRegistry(t *testing.T) {
	t.Parallel()
	ours, others := certtest.New(t, "ours"), certtest.New(t, "others")
	dir, server := t.TempDir(), pg.Server(t)
	ca, otherCA := ours.File(t, dir), others.File(t, dir)
	cert, key := ours.Issue(t, certtest.Leaf{Name: "evert"}).Files(t, dir, "client")
	strange, strangeKey := others.Issue(t, certtest.Leaf{Name: "evert"}).Files(t, dir, "stranger")
	trust := "tls: {ca: " + ca + "}"
	pair := func(cert, key string) string {
		return "tls: {ca: " + ca + ", cert: " + cert + ", key: " + key + "}"
	}
	at := registryDoors(t, ours)
	for _, a := range []struct {
		door, scheme string
		attempt
	}{
		{"TLS", "https", attempt{name: "X01 right", yaml: trust}},
		{"ELSEWHERE", "https", attempt{name: "X01 right by its other name", yaml: "tls: {server_name: registry.example, ca: " + ca + "}"}},
		{"ELSEWHERE", "https", attempt{name: "X01 right without looking at the name", yaml: "tls: {mode: verify-ca, ca: " + ca + "}"}},
		{"MUTUAL", "https", attempt{name: "K28 X01 right with a client's certificate that ends tomorrow", yaml: pair(cert, key), says: "a certificate ends soon"}},
		{"BASIC", "https", attempt{name: "X02 right user and password", yaml: trust + ", username: evert, password: " + password}},
		{"BEARER", "https", attempt{name: "X02 right token", yaml: trust + ", token: " + password}},
		{"PLAIN", "http", attempt{name: "X01 plaintext on this machine", yaml: ""}},
		{"TLS", "https", attempt{name: "X01 wrong authority", yaml: "tls: {ca: " + otherCA + "}", code: "REGISTRY_TLS", says: "not signed by an authority that is trusted"}},
		{"TLS", "https", attempt{name: "X01 the system's authorities", yaml: "", code: "REGISTRY_TLS", says: "not signed by an authority that is trusted"}},
		{"ELSEWHERE", "https", attempt{name: "X01 wrong name", yaml: trust, code: "REGISTRY_TLS", says: "its certificate is for other names"}},
		{"EXPIRED", "https", attempt{name: "X01 expired", yaml: trust, code: "REGISTRY_TLS", says: "its certificate has expired"}},
		{"OLD", "https", attempt{name: "X01 old TLS", yaml: trust, code: "REGISTRY_TLS", says: "older than 1.2"}},
		{"PLAIN", "https", attempt{name: "X01 TLS to a plaintext port", yaml: trust, code: "REGISTRY_TLS", says: "does not speak TLS on this port"}},
		{"TLS", "http", attempt{name: "X01 plaintext to a port with TLS", yaml: "", code: "REGISTRY_TLS", says: "speaks TLS on this port, and the address says http"}},
		{"MUTUAL", "https", attempt{name: "X02 no client certificate where one is wanted", yaml: trust, code: "REGISTRY_AUTH", says: "does not accept this client's TLS"}},
		{"MUTUAL", "https", attempt{name: "X02 a client certificate of another authority", yaml: pair(strange, strangeKey), code: "REGISTRY_AUTH", says: "does not accept this client's TLS"}},
		{"BASIC", "https", attempt{name: "X02 wrong password", yaml: trust + ", username: evert, password: " + canary, code: "REGISTRY_AUTH", says: "does not know who asks (401)"}},
		{"BASIC", "https", attempt{name: "X02 a token where a password is wanted", yaml: trust + ", token: " + password, code: "REGISTRY_AUTH", says: "does not know who asks (401)"}},
		{"BEARER", "https", attempt{name: "X02 wrong token", yaml: trust + ", token: " + canary, code: "REGISTRY_AUTH", says: "does not know who asks (401)"}},
		{"BEARER", "https", attempt{name: "X02 nobody", yaml: trust, code: "REGISTRY_AUTH", says: "does not know who asks (401)"}},
		{"BUSY", "https", attempt{name: "K23 busy", yaml: trust, code: "REGISTRY_UNREACHABLE", says: "it answers 503"}},
		{"HANGUP", "http", attempt{name: "K23 it hangs up", yaml: "", code: "REGISTRY_UNREACHABLE", says: "ends connections without an answer"}},
		{"NOBODY", "http", attempt{name: "K23 nobody listens", yaml: "", code: "REGISTRY_UNREACHABLE", says: "it cannot be reached"}},
	} {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			w := suite.NewWorld(t, server, fmt.Sprintf("registry_%d", doors.Add(1)))
			w.SQL(w.Database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "ALTER TABLE t OWNER TO capture")
			text := registryFile(w, a.scheme+"://"+at[a.door], a.yaml)
			a.run(t, suite.Evert(t), "evert.yaml", text)
			a.check(t, suite.Evert(t), text)
		})
	}
}

func registryFile(w *harness.World, url, yaml string) string {
	return fmt.Sprintf(`name: %s
data_dir: %s
registry: {url: "%s", %s}
sources: {db: {topic_prefix: %[1]s, postgres: {url: "%[5]s", tables: [public.*]}}}
serve: {http: none}
`, w.Database, w.Data(), url, yaml, w.URL())
}

// check has `evert check --connect` say what run said.
func (a *attempt) check(t *testing.T, evert, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evert.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, exit := harness.Run(t, evert, "check", "--connect", "-c", path)
	if all := out + errs; strings.Contains(all, canary) {
		t.Errorf("X14 a secret is printed:\n%s", all)
	}
	switch {
	case a.code == "" && exit != 0, a.code != "" && exit != 3:
		t.Errorf("check: exit code %d:\n%s%s", exit, out, errs)
	case a.code != "" && !(strings.Contains(out, "["+string(a.code)+"]") && strings.Contains(out, a.says)):
		t.Errorf("check does not say [%s] and %q:\n%s", a.code, a.says, out)
	}
}
