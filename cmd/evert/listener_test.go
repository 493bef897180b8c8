package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A route is known though what stands before it passes a copy of the request on,
// and what is refused there has none.
func TestObserved(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /subjects/{subject}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	door := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		routed(mux).ServeHTTP(w, r.Clone(r.Context()))
	})
	var route string
	var status int
	h := observed(door, func(r string, s int) { route, status = r, s })
	r := httptest.NewRequest(http.MethodGet, "/subjects/a", nil)
	if h.ServeHTTP(httptest.NewRecorder(), r); route != "" || status != http.StatusUnauthorized {
		t.Errorf("refused: %q %d", route, status)
	}
	r.Header.Set("Authorization", "x")
	if h.ServeHTTP(httptest.NewRecorder(), r); route != "GET /subjects/{subject}" || status != http.StatusTeapot {
		t.Errorf("answered: %q %d", route, status)
	}
}
