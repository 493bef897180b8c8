package postgres

import (
	"bytes"
	"path/filepath"
	"testing"
)

func TestSpill(t *testing.T) {
	t.Parallel()
	t.Run("P26 a thousand small transactions at once stay in memory", func(t *testing.T) {
		s := newSpill(t.TempDir(), 16<<20)
		for range 3 {
			for xid := range uint32(1000) {
				if err := s.add(s.begin(xid), xid, 1, []byte("I a small row")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if files, _ := filepath.Glob(filepath.Join(s.dir, "*")); len(files) != 0 || s.memory > 2<<20 {
			t.Errorf("%d bytes for 3000 small rows, %d files", s.memory, len(files))
		}
	})
	t.Run("P26 what occupies most goes to disk, in however few blocks", func(t *testing.T) {
		s := newSpill(t.TempDir(), 600_000)
		for range 200 {
			if err := s.add(s.begin(1), 1, 1, make([]byte, 500)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.add(s.begin(2), 2, 1, bytes.Repeat([]byte("x"), 700_000)); err != nil {
			t.Fatal(err)
		}
		if s.txs[1].file != nil || s.txs[2].file == nil || s.memory > s.limit {
			t.Errorf("%d bytes are left; on disk: 1 %v, 2 %v", s.memory, s.txs[1].file != nil, s.txs[2].file != nil)
		}
		if err := s.clear(); err != nil || s.memory != 0 {
			t.Errorf("%d bytes are left (%v)", s.memory, err)
		}
	})
}
