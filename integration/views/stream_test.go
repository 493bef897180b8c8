//go:build unix

package views

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

// TestStreamOverRestart follows a view, loses the daemon, and goes on behind the last
// epoch that it saw: the changes meanwhile come as one step, from the view's topic.
// After a change of the definition all rows come.
func TestStreamOverRestart(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.Options{})
	s.views["shops"], s.extra["shops"] = perShop, "key: [shop]"
	s.start()
	s.same("shops")
	f := &follows{story: s, rows: map[string]string{}}
	f.until("7 rows", func() bool { return len(f.rows) == 7 })
	if f.resets != 0 {
		t.Errorf("a new stream was reset %d times", f.resets)
	}
	for _, how := range []func(){s.end, func() { s.daemon.Kill(); s.daemon = nil }} {
		s.SQL(s.Database, "DELETE FROM sales WHERE shop = 's3'", "UPDATE sales SET cents = cents + 1 WHERE shop = 's5'")
		s.same("shops") // there are epochs that the stream has not seen
		how()
		s.SQL(s.Database, "INSERT INTO sales VALUES (2001, 's3', 4) ON CONFLICT DO NOTHING", "UPDATE sales SET cents = cents + 1 WHERE shop = 's6'")
		s.start()
		s.same("shops")
		f.until("what the view has", func() bool { return f.same() })
		if f.resets != 0 || f.whole != 7 {
			t.Errorf("the stream was reset %d times, and %d rows were told that were no changes", f.resets, f.whole)
		}
	}
	s.views["shops"] = perShop2
	s.start()
	s.same("shops")
	f.until("what the new definition has", func() bool { return f.same() })
	if f.resets != 1 {
		t.Errorf("R15: another definition gave %d resets", f.resets)
	}
	s.end()
}

// follows is a client of a stream that applies what it is told at each epoch.
type follows struct {
	*story
	rows          map[string]string // by key
	last          string            // id of the last epoch
	resets, whole int               // events reset and row
}

// until connects behind the last epoch, and follows until done says so.
func (f *follows) until(what string, done func() bool) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), harness.Patience)
	defer cancel()
	socket := filepath.Join(f.Data(), "evert.sock")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://evert/v1/views/shops/changes", nil)
	if err != nil {
		f.Fatal(err)
	}
	if f.last != "" {
		req.Header.Set("Last-Event-ID", f.last)
	}
	resp, err := client.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	pending := map[string]string{}
	var id, name string
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		field, text, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = text
		case "event":
			name = text
		case "data":
			if f.apply(name, id, text, pending) && done() {
				return
			}
		}
	}
	f.Fatalf("the stream ended before it told %s", what)
}

// apply takes an event, and reports whether an epoch is whole.
func (f *follows) apply(name, id, data string, pending map[string]string) bool {
	f.Helper()
	var entry struct{ Key, Row json.RawMessage }
	if err := json.Unmarshal([]byte(data), &entry); err != nil {
		f.Fatal(err)
	}
	switch name {
	case "reset":
		f.resets++
		clear(f.rows)
		clear(pending)
	case "row", "change":
		if name == "row" {
			f.whole++
		}
		pending[string(entry.Key)] = string(entry.Row)
	case "epoch":
		for key, row := range pending {
			f.rows[key] = row
			if row == "null" {
				delete(f.rows, key)
			}
		}
		clear(pending)
		f.last = id
		return true
	}
	return false
}

// same compares what was told with what is read.
func (f *follows) same() bool {
	f.Helper()
	var body struct{ Rows []json.RawMessage }
	if err := f.await("/v1/views/shops/rows?limit=1000").Decode(&body); err != nil {
		f.Fatal(err)
	}
	if len(body.Rows) != len(f.rows) {
		return false
	}
	all := map[string]bool{}
	for _, row := range f.rows {
		all[row] = true
	}
	for _, row := range body.Rows {
		if !all[string(row)] {
			return false
		}
	}
	return true
}
