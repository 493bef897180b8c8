//go:build unix

package views

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

// TestStateHurt takes a view's state away, exchanges it, brings an old one back
// and flips bytes of it, while no daemon runs; the database goes on meanwhile.
func TestStateHurt(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.Options{})
	s.views["shops"], s.extra["shops"] = perShop, "key: [shop]"
	s.views["towns"], s.extra["towns"] = perShop, "key: [shop]" // the same plan
	s.start()
	s.same("shops")
	s.same("towns")
	s.end()
	shops, towns, copied := filepath.Join(s.Data(), "views", "shops"), filepath.Join(s.Data(), "views", "towns"), filepath.Join(s.Dir, "copy")
	replace := func(to, from string) {
		t.Helper()
		if err := os.RemoveAll(to); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	replace(copied, shops)
	for _, c := range []struct {
		name string
		hurt func()
	}{
		{"deleted", func() { _ = os.RemoveAll(shops) }},
		{"all states deleted", func() { _ = os.RemoveAll(filepath.Dir(shops)) }},
		{"R06 of another view", func() { replace(shops, towns) }},
		{"R03 an older one", func() { replace(shops, copied) }},
		{"R07 flipped bytes", func() { s.flip(shops) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.SQL(s.Database, "UPDATE sales SET cents = cents + 1 WHERE id % 3 = 0", "DELETE FROM sales WHERE id = (SELECT max(id) FROM sales)")
			c.hurt()
			s.start()
			s.SQL(s.Database, "UPDATE sales SET shop = 's1' WHERE id = (SELECT max(id) FROM sales)")
			s.same("shops")
			s.same("towns")
			s.end()
		})
	}
}

// flip turns every bit of the middle of each file of Pebble's that holds rows.
func (s *story) flip(dir string) {
	s.Helper()
	flipped := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sst") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := len(b) / 4; i < len(b)*3/4; i++ {
			b[i] ^= 0xff
		}
		flipped++
		return os.WriteFile(path, b, 0o600)
	})
	if err != nil || flipped == 0 {
		s.Fatalf("no file was flipped: %v", err)
	}
}

// TestStateGone removes a view's folder under the daemon: the view says so and shows what it
// showed, the other one goes on, and the daemon ends as it is told to (I8, O01). Started
// again, it makes the state anew.
func TestStateGone(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.Options{})
	s.SQL(s.Database, "CREATE TABLE wide (id int PRIMARY KEY, words text)", "ALTER TABLE wide OWNER TO capture", "INSERT INTO wide SELECT i, '' FROM generate_series(1, 500) AS i")
	s.views["shops"], s.extra["shops"] = perShop, "key: [shop]"
	s.views["wide"], s.extra["wide"] = "SELECT id, words FROM db.public.wide", "key: [id]"
	s.start()
	s.same("wide")
	if err := os.RemoveAll(filepath.Join(s.Data(), "views", "wide")); err != nil {
		t.Fatal(err)
	}
	widen := "UPDATE wide SET words = (SELECT string_agg(md5(random()::text || n || id), '') FROM generate_series(1, 256) AS n)" // 4 MB
	s.SQL(s.Database, widen)
	lines := strings.Count(s.daemon.Last(1<<20), "state: ")
	s.SQL(s.Database, widen)
	s.code("wide", "STATE_UNWRITABLE")
	s.SQL(s.Database, "UPDATE sales SET cents = cents + 1")
	s.same("shops")
	if n := strings.Count(s.daemon.Last(1<<20), "state: ") - lines; n > 100 {
		t.Errorf("%d lines of log say it", n)
	}
	s.end()
	s.start()
	s.same("wide")
	s.end()
}
