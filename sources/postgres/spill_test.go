package postgres

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
)

func TestSpill(t *testing.T) {
	t.Parallel()
	t.Run("P26 a thousand small transactions at once stay in memory", func(t *testing.T) {
		s := newSpill(t.TempDir(), 16<<20, 1<<30)
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
		s := newSpill(t.TempDir(), 600_000, 1<<30)
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
	t.Run("P26 disk has a bound, and room is given back", func(t *testing.T) {
		s := newSpill(t.TempDir(), 100_000, 1<<20)
		large := func(xid uint32) (err error) {
			for range 8 {
				err = errors.Join(err, s.add(s.begin(xid), xid, 1, make([]byte, 100_000)))
			}
			return err
		}
		if err := large(1); err != nil {
			t.Fatal(err)
		}
		wantCode(t, large(2), CodeSpillFull)
		if err := errors.Join(s.abort(1, 1), s.abort(2, 2)); err != nil || s.disk != 0 {
			t.Fatalf("%d bytes on disk when nothing is left (%v)", s.disk, err)
		}
		if err := large(3); err != nil {
			t.Error(err)
		}
	})
}
