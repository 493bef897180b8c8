//go:build unix

package views

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

// TestStateLimit gives views a megabyte each, and one of them a table of ten: its
// hydration is given up inside, alone, and leaves little on disk (R17).
func TestStateLimit(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.Options{})
	s.SQL(s.Database, "CREATE TABLE wide (id int PRIMARY KEY, words text)", "ALTER TABLE wide OWNER TO capture",
		"INSERT INTO wide SELECT i, (SELECT string_agg(md5(i::text || n), '') FROM generate_series(1, 16) AS n) FROM generate_series(1, 20000) AS i")
	s.views["shops"], s.extra["shops"] = perShop, "key: [shop]"
	s.views["wide"], s.extra["wide"] = "SELECT id, words FROM db.public.wide", "key: [id]"
	s.limits = "limits: {view_state_bytes: 1MiB}\n"
	s.start()
	s.code("wide", "VIEW_STATE_LIMIT")
	s.same("shops")
	s.refused("/v1/views/wide/rows/1", 503)
	s.end()
	if n := s.diskOf("wide"); n > 1<<20 {
		t.Errorf("%d bytes are left on disk", n)
	}
	s.limits = ""
	s.start()
	s.await("/v1/views/wide/rows/20000?timeout=30s&wait_for=db:" + s.ask("SELECT pg_current_wal_flush_lsn()::text"))
	s.end() // which writes what is in memory
	if n := s.diskOf("wide"); n < 3<<20 {
		t.Errorf("the whole view occupies %d bytes, which proves nothing of a limit of a megabyte", n)
	}
}

// diskOf is what the state of a view occupies.
func (s *story) diskOf(view string) (bytes int64) {
	s.Helper()
	err := filepath.WalkDir(filepath.Join(s.Data(), "views", view), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was removed meanwhile
		}
		bytes += info.Size()
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Fatal(err)
	}
	return bytes
}
