package configs

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// X01 TLS defaults: a wrong authority and a wrong name are refused by
// verify-full, a wrong authority by verify-ca, and old TLS by all.
func TestTLSModes(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for _, tc := range []struct {
		name string
		tls  TLS
		ok   bool
	}{
		{"right", TLS{Mode: TLSVerifyFull, CA: ca, ServerName: "example.com"}, true},
		{"wrong name", TLS{Mode: TLSVerifyFull, CA: ca, ServerName: "evil.com"}, false},
		{"wrong authority", TLS{Mode: TLSVerifyFull, ServerName: "example.com"}, false},
		{"verify-ca, wrong name", TLS{Mode: TLSVerifyCA, CA: ca, ServerName: "evil.com"}, true},
		{"verify-ca, wrong authority", TLS{Mode: TLSVerifyCA, ServerName: "example.com"}, false},
		{"insecure", TLS{Mode: TLSInsecure, ServerName: "evil.com"}, true},
	} {
		t.Run("X01 "+tc.name, func(t *testing.T) {
			conf, err := tc.tls.Build()
			if err != nil {
				t.Fatal(err)
			}
			conn, err := tls.Dial("tcp", server.Listener.Addr().String(), conf)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != tc.ok {
				t.Errorf("connecting gives %v", err)
			}
			if conf.MinVersion != tls.VersionTLS12 {
				t.Error("TLS below 1.2 is allowed")
			}
		})
	}
}

func TestTLSFiles(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.pem")
	write(t, bad, canary)
	for _, c := range []TLS{{CA: "/nope"}, {CA: bad}, {Cert: bad, Key: bad}, {Cert: "/nope", Key: bad}} {
		if _, err := c.Build(); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%+v gives %v", c, err)
		}
	}
	if conf, err := (*TLS)(nil).Build(); conf != nil || err != nil {
		t.Error("no TLS is plaintext")
	}
	if conf, err := (&TLS{Mode: TLSDisable}).Build(); conf != nil || err != nil {
		t.Error("disabled TLS is plaintext")
	}
}
