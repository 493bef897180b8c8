//go:build unix

package opensearchserver_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/evertdb/evert/sinks/opensearch/opensearchserver"
)

// What was acknowledged is there after a kill, on the same port.
func TestNode(t *testing.T) {
	d, err := opensearchserver.Fetch(t.Context())
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("opt-in: %v\n%s", err, opensearchserver.InstallHint())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, opensearchserver.InstallHint())
	}
	n, err := opensearchserver.Start(t.Context(), d, opensearchserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if got := send(t, http.MethodGet, n.URL(), ""); !strings.Contains(got, `"number" : "`+opensearchserver.Version+`"`) {
		t.Errorf("it says %s", got)
	}
	send(t, http.MethodPut, n.URL()+"/things/_doc/1", `{"a": 1}`)
	url := n.URL()
	n.Kill()
	if n.PID() != 0 {
		t.Error("it runs")
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.URL() != url {
		t.Errorf("%s, and was %s", n.URL(), url)
	}
	send(t, http.MethodGet, n.URL()+"/_cluster/health?wait_for_status=yellow&timeout=30s", "")
	if got := send(t, http.MethodGet, n.URL()+"/things/_doc/1", ""); !strings.Contains(got, `"found":true`) {
		t.Errorf("the document: %s", got)
	}
	if err := n.Stop(); err != nil {
		t.Error(err)
	}
}

func send(t *testing.T, method, url, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if a.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s", method, url, a.StatusCode, text)
	}
	return string(text)
}
