package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/evertdb/evert/sinks/sinktest"
	"github.com/evertdb/evert/sinks/webhook"
)

// TestRedirects follows an endpoint on its own host and nowhere else.
func TestRedirects(t *testing.T) {
	var strange atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strange.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run("X09 no redirect to another host, "+http.StatusText(status), func(t *testing.T) {
			e := newEndpoint(t)
			e.answer = func(_ int, _ *request, w http.ResponseWriter) int {
				w.Header().Set("Location", elsewhere.URL+"/in")
				return status
			}
			open(t, e.config()).refuses(webhook.CodeRedirect)
			if strange.Load() != 0 {
				t.Fatal("the other host was called")
			}
		})
	}
	t.Run("X09 no redirect without end", func(t *testing.T) {
		e := newEndpoint(t)
		e.answer = func(_ int, _ *request, w http.ResponseWriter) int {
			w.Header().Set("Location", "/in")
			return 307
		}
		open(t, e.config()).refuses(webhook.CodeRedirect)
	})
	t.Run("to another path", func(t *testing.T) {
		e := newEndpoint(t)
		e.answer = func(n int, r *request, w http.ResponseWriter) int {
			if r.path != "/new" {
				w.Header().Set("Location", "/new")
				return 308
			}
			return 0
		}
		s := open(t, e.config())
		s.write(sinktest.Put(1, "a"))
		s.commit()
		if e.Rows(t)[1] != "a" {
			t.Errorf("the endpoint holds %v", e.Rows(t))
		}
	})
}

// TestAddresses refuses where clouds keep credentials, also under other spellings.
func TestAddresses(t *testing.T) {
	for _, address := range []string{"169.254.169.254:80", "[fe80::1%eth0]:80", "[::ffff:169.254.169.254]:80", "[fd00:ec2::254]:80", "100.100.100.200:80",
		"0.0.0.0:80", "[::]:80", "224.0.0.1:80"} {
		t.Run("X09 "+address, func(t *testing.T) {
			if webhook.Allowed(address, false) == nil {
				t.Error("is called")
			}
		})
	}
	for _, address := range []string{"127.0.0.1:80", "[::1]:80", "10.1.2.3:443", "93.184.216.34:443"} {
		if err := webhook.Allowed(address, false); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := webhook.Allowed("169.254.1.1:80", true); err != nil {
		t.Errorf("with link_local: %v", err)
	}
	t.Run("X09 the sink stops with a word", func(t *testing.T) {
		e := newEndpoint(t)
		c := e.config()
		c.URL = func() (string, error) { return "http://169.254.169.254/latest/meta-data", nil }
		if err := open(t, c).refuses(webhook.CodeAddress); !strings.Contains(err.Error(), "sink hook") {
			t.Error(err)
		}
	})
}

// TestNoAddressOfRows has addresses in rows: nobody calls them.
func TestNoAddressOfRows(t *testing.T) {
	t.Run("X09 no URL of a row is called", func(t *testing.T) {
		var strange atomic.Int64
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strange.Add(1) }))
		defer elsewhere.Close()
		e := newEndpoint(t)
		s := open(t, e.config())
		s.write(sinktest.Put(1, elsewhere.URL), sinktest.Put(2, "${file:/etc/passwd}"), sinktest.Put(3, "\r\nHost: "+elsewhere.URL))
		s.commit()
		if got := e.Rows(t); strange.Load() != 0 || got[1] != elsewhere.URL || got[2] != "${file:/etc/passwd}" {
			t.Errorf("%d strange calls, the endpoint holds %v", strange.Load(), got)
		}
	})
}
