package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/cmd/evert/datadir"
)

// heard is a stream of a view's changes.
type heard struct {
	t     *testing.T
	lines *bufio.Reader
	last  string // the id of the last epoch
}

// hear opens a stream over the control socket.
func hear(t *testing.T, file, last string) *heard {
	t.Helper()
	socket := datadir.SocketPath(filepath.Join(filepath.Dir(file), "d"))
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	t.Cleanup(client.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://evert/v1/views/owners/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", last)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	return &heard{t: t, lines: bufio.NewReader(resp.Body)}
}

// until gives what is heard up to and with the first epoch behind a text.
func (h *heard) until(text string) string {
	h.t.Helper()
	var all strings.Builder
	for {
		line, err := h.lines.ReadString('\n')
		if err != nil {
			h.t.Fatalf("%v, after %s", err, all.String())
		}
		all.WriteString(line)
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			h.last = strings.TrimSpace(id)
		}
		if strings.HasPrefix(line, `data: {"position":`) && strings.Contains(all.String(), text) {
			return all.String()
		}
	}
}

// TestChangesOfAView follows a view on a real server, goes away and comes back,
// also to another daemon.
func TestChangesOfAView(t *testing.T) {
	url := pg.Database(t)
	db := connection(t, url)
	exec := func(sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(accounts)
	c, file, end := running(t, url)
	place, err := insertPosition(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	shown := func() {
		t.Helper()
		if _, _, err := read(t.Context(), c, "o1", place); err != nil {
			t.Fatal(err)
		}
	}
	shown()
	first := hear(t, file, "")
	if got := first.until("o9"); strings.Count(got, "event: row\n") != 10 {
		t.Fatalf("the rows: %s", got)
	}
	exec("UPDATE account SET balance = balance + 5 WHERE id = 1; UPDATE account SET balance = balance - 5 WHERE id = 2")
	got := first.until(`"total":2005`)
	if !strings.Contains(got, `"owner":"o2","accounts":20,"total":1995`) {
		t.Fatalf("R11 half of a transaction: %s", got)
	}
	exec("DELETE FROM account WHERE owner = 'o3'")
	again := hear(t, file, first.last)
	if got := again.until(`{"key":{"owner":"o3"},"row":null}`); strings.Contains(got, "event: row\n") || strings.Contains(got, "reset") {
		t.Fatalf("it begins anew: %s", got)
	}
	end()
	c, file, _ = restarted(t, file)
	shown()
	later := hear(t, file, again.last)
	exec("UPDATE account SET balance = 0 WHERE owner = 'o4'")
	if got := later.until(`"owner":"o4","accounts":20,"total":0`); strings.Contains(got, "event: row\n") {
		t.Fatalf("R21 another daemon over the same state begins anew: %s", got)
	}
}
