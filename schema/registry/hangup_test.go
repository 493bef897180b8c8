package registry

import (
	"errors"
	"io"
	"net/url"
	"strings"
	"syscall"
	"testing"
)

// TestHangUp tells that a registry which ends connections is told from one that
// is not there, whenever the end is noticed: while a request is sent, while its
// answer is awaited, or on a connection that was kept.
func TestHangUp(t *testing.T) {
	for name, err := range map[string]error{
		"K23 before the answer":       io.EOF,
		"K23 inside the answer":       io.ErrUnexpectedEOF,
		"K23 while it was sent":       syscall.ECONNRESET,
		"K23 on a connection at rest": errors.New("http: server closed idle connection"),
	} {
		trouble := troubled("registry:8081", &url.Error{Op: "Get", URL: "http://registry:8081/subjects", Err: err})
		if !strings.Contains(trouble.What, "ends connections without an answer") {
			t.Errorf("%s: %s", name, trouble.What)
		}
	}
}
