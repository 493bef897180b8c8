package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/schema/registry/rest"
)

// Who has the token gets in, by either way that clients of registries know;
// refusals are told by their protocol.
func TestRegistryDoor(t *testing.T) {
	inside := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := api.Handlers{Token: func() (string, error) { return "sesame", nil }, Requests: 2}.Registry(inside)
	for name, test := range map[string]struct {
		change func(*http.Request)
		want   int
		code   string
	}{
		"bearer":         {func(r *http.Request) { r.Header.Set("Authorization", "Bearer sesame") }, 204, ""},
		"basic":          {func(r *http.Request) { r.SetBasicAuth("anybody", "sesame") }, 204, ""},
		"nothing":        {func(*http.Request) {}, 401, "40101"},
		"another token":  {func(r *http.Request) { r.Header.Set("Authorization", "Bearer open") }, 401, "40101"},
		"no password":    {func(r *http.Request) { r.SetBasicAuth("sesame", "") }, 401, "40101"},
		"a foreign page": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site"); r.SetBasicAuth("x", "sesame") }, 403, "40301"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/subjects/a/versions", strings.NewReader("{}"))
			test.change(r)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != test.want || !strings.Contains(w.Body.String(), test.code) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if w.Code >= 400 && w.Header().Get("Content-Type") != rest.ContentType {
				t.Errorf("content type %s", w.Header().Get("Content-Type"))
			}
		})
	}
}
