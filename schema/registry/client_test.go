package registry_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/evertdb/evert/schema/registry"
)

// fake starts a registry server and counts what it is asked.
func fake(t *testing.T, opts ...srfake.Option) (server *srfake.Registry, requests *atomic.Int32) {
	t.Helper()
	server, requests = srfake.New(opts...), new(atomic.Int32)
	server.Intercept(func(http.ResponseWriter, *http.Request) bool {
		requests.Add(1)
		return false
	})
	t.Cleanup(server.Close)
	return server, requests
}

func client(t *testing.T, c registry.Config) *registry.Client {
	t.Helper()
	cl, err := registry.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

func TestClient(t *testing.T) {
	server, requests := fake(t)
	c := client(t, registry.Config{URL: server.URL()})
	id := register(t, c, "a-value", record("id"))
	if text, err := c.Schema(t.Context(), id); err != nil || text != record("id") {
		t.Errorf("schema %d is %q, %v", id, text, err)
	}
	asked := requests.Load()
	for range 100 {
		register(t, c, "a-value", record("id"))
		_, _ = c.Schema(t.Context(), id)
	}
	if requests.Load() != asked {
		t.Errorf("known things were asked for %d times", requests.Load()-asked)
	}
	second := register(t, c, "a-value", record("id", "x?"))
	if latest, text, err := c.Latest(t.Context(), "a-value"); err != nil || latest != second || text != record("id", "x?") {
		t.Errorf("latest is %d %q, %v", latest, text, err)
	}
	other := client(t, registry.Config{URL: server.URL()})
	if again := register(t, other, "a-value", record("id")); again != id {
		t.Errorf("another client got id %d, not %d", again, id)
	}
}

func TestClientAbsent(t *testing.T) {
	server, _ := fake(t)
	c := client(t, registry.Config{URL: server.URL()})
	if _, err := c.Schema(t.Context(), 99); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("schema 99: %v", err)
	}
	if _, _, err := c.Latest(t.Context(), "nobody"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("latest of nobody: %v", err)
	}
}

func TestClientAuth(t *testing.T) {
	server, _ := fake(t, srfake.WithAuth("Bearer sesame"))
	register(t, client(t, registry.Config{URL: server.URL(), Credentials: as(registry.Credentials{Token: "sesame"})}), "a", `"long"`)

	basic, _ := fake(t, srfake.WithAuth("Basic YWRhOmxvdmVsYWNl"))
	register(t, client(t, registry.Config{URL: basic.URL(), Credentials: as(registry.Credentials{User: "ada", Password: "lovelace"})}), "a", `"long"`)
}

func as(c registry.Credentials) func() (registry.Credentials, error) {
	return func() (registry.Credentials, error) { return c, nil }
}

// X14: neither a refusal nor a server that is gone puts a secret into an error.
func TestClientKeepsSecrets(t *testing.T) {
	server, _ := fake(t, srfake.WithAuth("Bearer other"))
	c := client(t, registry.Config{URL: server.URL(), Credentials: as(registry.Credentials{User: "ada", Password: "lovelace"})})
	_, refused := c.Register(t.Context(), "a", `"long"`)
	server.Close()
	_, gone := c.Register(t.Context(), "a", `"long"`)
	for _, err := range []error{refused, gone} {
		if err == nil || strings.Contains(err.Error(), "lovelace") {
			t.Errorf("error is %v", err)
		}
	}
	_, err := registry.NewClient(registry.Config{URL: "ftp://ada:lovelace@host"})
	if err == nil || strings.Contains(err.Error(), "lovelace") {
		t.Errorf("error is %v", err)
	}
}

func TestK23RegistryDown(t *testing.T) {
	t.Run("K23 what is known is served while the registry is down", func(t *testing.T) {
		server, _ := fake(t)
		c := client(t, registry.Config{URL: server.URL()})
		id := register(t, c, "a", `"long"`)
		server.Close()
		if again := register(t, c, "a", `"long"`); again != id {
			t.Errorf("id %d, not %d", again, id)
		}
		if _, err := c.Register(t.Context(), "a", `"string"`); err == nil {
			t.Error("a new schema got an id from nobody")
		}
	})
}

func TestK24Incompatible(t *testing.T) {
	t.Run("K24 a refusal is told from other failures", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"error_code":409,"message":"READER_FIELD_MISSING_DEFAULT_VALUE"}`))
		}))
		defer server.Close()
		_, err := client(t, registry.Config{URL: server.URL}).Register(t.Context(), "a", `"long"`)
		if !errors.Is(err, registry.ErrIncompatible) || !strings.Contains(err.Error(), "READER_FIELD") {
			t.Errorf("error is %v", err)
		}
	})
}

func TestK25WipedRegistry(t *testing.T) {
	t.Run("K25 an id that means another schema is refused", func(t *testing.T) {
		lying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				_, _ = w.Write([]byte(`{"id":1}`))
				return
			}
			_, _ = w.Write([]byte(`{"schema":"\"string\""}`))
		}))
		defer lying.Close()
		_, err := client(t, registry.Config{URL: lying.URL}).Register(t.Context(), "a", `"long"`)
		if err == nil || !strings.Contains(err.Error(), "another schema") {
			t.Errorf("error is %v", err)
		}
	})
}

// X09: a registry cannot send us elsewhere.
func TestX09NoForeignRedirect(t *testing.T) {
	t.Run("X09 redirect to another host", func(t *testing.T) {
		reached := false
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		defer elsewhere.Close()
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
		defer server.Close()
		if _, err := client(t, registry.Config{URL: server.URL}).Schema(t.Context(), 1); err == nil || reached {
			t.Errorf("reached %t, error %v", reached, err)
		}
	})
}

func TestClientDelete(t *testing.T) {
	server, _ := fake(t)
	cl := client(t, registry.Config{URL: server.URL()})
	if err := cl.Delete(t.Context(), "a"); err != nil { // there is nothing to delete
		t.Fatal(err)
	}
	if _, err := cl.Register(t.Context(), "a", `"long"`); err != nil {
		t.Fatal(err)
	}
	if err := cl.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := cl.Latest(t.Context(), "a"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("latest of a deleted subject: %v", err)
	}
}

// A server that is starting or ending is asked again; what it refuses is not.
func TestClientRepeats(t *testing.T) {
	server, _ := fake(t)
	var asked atomic.Int32
	status := http.StatusServiceUnavailable
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if asked.Add(1) > 2 && status == http.StatusServiceUnavailable {
			return false
		}
		w.WriteHeader(status)
		return true
	})
	register(t, client(t, registry.Config{URL: server.URL()}), "a", `"long"`) // the third time goes well
	asked.Store(0)
	status = http.StatusUnprocessableEntity
	if _, err := client(t, registry.Config{URL: server.URL()}).Register(t.Context(), "b", `"int"`); err == nil || asked.Load() != 1 {
		t.Errorf("a refusal was asked for %d times: %v", asked.Load(), err)
	}
}

func TestK28SecretsAreReadAnew(t *testing.T) {
	t.Run("K28 a token that was replaced counts at the next request", func(t *testing.T) {
		server, _ := fake(t, srfake.WithAuth("Bearer second"))
		token := "first"
		c := client(t, registry.Config{URL: server.URL(), Credentials: func() (registry.Credentials, error) {
			return registry.Credentials{Token: token}, nil
		}})
		if _, err := c.Register(t.Context(), "a", `"long"`); err == nil {
			t.Fatal("the wrong token was taken")
		}
		token = "second"
		register(t, c, "a", `"long"`)
	})
	t.Run("K28 certificates that were replaced count at the next connection", func(t *testing.T) {
		inner, _ := fake(t)
		server := httptest.NewUnstartedServer(inner.Handler())
		server.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
		server.StartTLS()
		defer server.Close()
		roots := x509.NewCertPool()
		c := client(t, registry.Config{URL: server.URL, TLS: func() (*tls.Config, error) {
			return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
		}})
		if _, err := c.Register(t.Context(), "a", `"long"`); err == nil {
			t.Fatal("a certificate of nobody was accepted")
		}
		roots = x509.NewCertPool()
		roots.AddCert(server.Certificate())
		register(t, c, "a", `"long"`)
	})
}

// What others look after is found, and neither registered nor deleted.
func TestFixed(t *testing.T) {
	server, _ := fake(t)
	c := client(t, registry.Config{URL: server.URL()})
	fixed := registry.Fixed{Registry: client(t, registry.Config{URL: server.URL()})}
	if _, err := fixed.Register(t.Context(), "a", `"long"`); !errors.Is(err, registry.ErrUnregistered) {
		t.Fatalf("what is not there: %v", err)
	}
	id := register(t, c, "a", `"long"`)
	if got := register(t, fixed, "a", `"long"`); got != id {
		t.Errorf("id %d, not %d", got, id)
	}
	if _, err := fixed.Register(t.Context(), "a", `"string"`); !errors.Is(err, registry.ErrUnregistered) {
		t.Errorf("another schema: %v", err)
	}
	if err := fixed.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if latest, _, err := c.Latest(t.Context(), "a"); err != nil || latest != id {
		t.Errorf("latest is %d, %v", latest, err)
	}
}
