package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// What a browser does with our answers is not left to it: they are data. No page
// runs what a row holds, frames an answer, or reads one from another site: there is
// no header of CORS, so a page of another origin is not shown what it asked for.
var browserHeaders = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; sandbox",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// plain says of every answer that it is what its type says: no browser is to take
// a row's text for a page.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range browserHeaders {
			w.Header().Set(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost refuses requests that name us by a foreign name while no token is asked
// for. A page can give its own name our address (DNS rebinding): to the browser we
// are then of its origin, and only the name in the request tells.
func (h Handlers) ownHost(next http.Handler, refuse func(http.ResponseWriter, error)) http.Handler {
	if h.AnyHost {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOwn(r.Host) && !h.asksToken() {
			refuse(w, &pipeline.Refusal{Code: CodeForeignHost, What: "the request names another host than this one",
				Mend: "ask by address or as localhost; or set serve.token, or serve.behind_proxy: true where a proxy guards this address"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// asksToken reports whether requests need a token, also one that cannot be read now.
func (h Handlers) asksToken() bool {
	if h.Token == nil {
		return false
	}
	token, err := h.Token()
	return err != nil || token != ""
}

// isOwn reports whether a Host header names an address, or this machine by a name
// that no resolver of others gives.
func isOwn(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
