//go:build unix

package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
)

// An Answer is what the API of a daemon says.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the body, numbers as they were written.
func (a Answer) Decode(into any) error { return json.Unmarshal(a.Body, into) }

// A Door is the control socket of the daemon that owns a data directory. It
// outlives the daemons behind it. Its methods may be called at the same time.
type Door struct{ client *http.Client }

// NewDoor makes a door; it connects when it is asked.
func NewDoor(dataDir string) *Door {
	socket := filepath.Join(dataDir, "evert.sock")
	return &Door{&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}}
}

// Get asks for a path with its query. An error says that nobody answered, or
// that the daemon went while it did.
func (d *Door) Get(ctx context.Context, path string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://evert"+path, nil)
	if err != nil {
		return Answer{}, err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("GET %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, body}, err
}

// Close ends its connections.
func (d *Door) Close() { d.client.CloseIdleConnections() }
