package opensearch_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sinks/opensearch"
)

// guarded is a cluster that knows one way to prove who asks.
func guarded(t *testing.T, header, value string) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get(header); got != value {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":{"type":"security_exception","reason":"no permissions for [indices:admin/get] and User [name=hunter2, backend_roles=[]]"},"status":403}`))
	}))
	t.Cleanup(s.Close)
	return s
}

func trusting(s *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// TestAuthentication: each way sends its header, over TLS that is verified; what the
// cluster refuses is told with the missing right and without names of users.
func TestAuthentication(t *testing.T) {
	for _, c := range []struct {
		name, value string
		auth        opensearch.Auth
	}{
		{"basic", "Basic ZXZlcnQ6c2VjcmV0", opensearch.Basic{Username: "evert", Password: "secret"}},
		{"API key", "ApiKey abc==", opensearch.APIKey("abc==")},
		{"bearer", "Bearer token", opensearch.Bearer("token")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := guarded(t, "Authorization", c.value)
			o := opensearch.DefaultOptions()
			o.URL, o.TLS, o.Index, o.Owner = s.URL, trusting(s), "items", "test/sink"
			if err := opened(t, o); pipeline.CodeOf(err) != "OPENSEARCH_DENIED" || !strings.Contains(err.Error(), "401") {
				t.Errorf("without it: %v", err)
			}
			o.Auth = c.auth
			err := opened(t, o)
			if pipeline.CodeOf(err) != "OPENSEARCH_DENIED" || !strings.Contains(err.Error(), "indices:admin/get") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("with it: %v", err)
			}
			o.TLS = nil
			if err := opened(t, o); pipeline.CodeOf(err) != "OPENSEARCH_BUSY" || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("a certificate that nobody vouches for: %v", err)
			}
		})
	}
}

func opened(t *testing.T, o opensearch.Options) error {
	t.Helper()
	target := opensearch.New(o)
	defer target.Close()
	_, err := target.Open(t.Context())
	return err
}

// TestNoPasswordInErrors: X14 an address with a password is never printed.
func TestNoPasswordInErrors(t *testing.T) {
	var mu sync.Mutex
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		user, password, _ := r.BasicAuth()
		got = user + ":" + password
		w.WriteHeader(http.StatusTeapot)
	}))
	o := opensearch.DefaultOptions()
	o.URL, o.Index, o.Owner = strings.Replace(s.URL, "://", "://evert:hunter2@", 1), "items", "test/sink"
	if err := opened(t, o); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("answered: %v", err)
	}
	s.Close()
	if err := opened(t, o); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("away: %v", err)
	}
	if got != "evert:hunter2" {
		t.Errorf("the cluster was told %q", got)
	}
	o.URL = "http://evert:hunter2@[broken"
	if err := opened(t, o); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("broken: %v", err)
	}
}
