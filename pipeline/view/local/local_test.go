package local

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/store"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema"
)

var columns = []schema.Column{
	{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}},
	{Name: "total amount", Type: schema.Type{Kind: schema.KindDecimal, Name: "numeric", Precision: -1, Scale: -1}, Nullable: true},
	{Name: "name", Type: schema.Type{Kind: schema.KindText, Name: "text"}, Nullable: true, Collation: schema.Collation{Name: "C", Provider: "c", Deterministic: true}},
}

func folder(t *testing.T, deployment string) *Folder {
	return &Folder{Dir: filepath.Join(t.TempDir(), "views", "v"), Identity: store.Identity{Deployment: deployment, View: "v"},
		Options: store.Options{Reserve: -1}, NewSorter: func() (dataflow.Sorter, error) { return nil, errors.New("no sorter") }}
}

// commit puts one key and a progress into a version.
func commit(t *testing.T, f *Folder, hash, progress string) {
	t.Helper()
	s, err := f.Open(hash)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(b.Put([]byte{0, 1, 'k'}, []byte("v")), b.Commit([]byte(progress)), b.Discard(), s.Close())
	if err != nil {
		t.Fatal(err)
	}
}

func progressOf(t *testing.T, f *Folder, hash string) string {
	t.Helper()
	s, err := f.Open(hash)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return string(s.Progress())
}

func TestVersions(t *testing.T) {
	f := folder(t, "shop")
	commit(t, f, "aa", "one")
	commit(t, f, "bb", "two")
	if got := progressOf(t, f, "aa"); got != "one" {
		t.Errorf("version aa is at %q", got)
	}
	describe(t, f, "aa")
	if err := f.Remove("aa"); err != nil { // to build it anew
		t.Fatal(err)
	}
	if _, err := f.Shape("aa"); err != nil {
		t.Errorf("the version that is built anew cannot be shown: %v", err)
	}
	commit(t, f, "aa", "three")
	describe(t, f, "bb")
	if all, err := f.Versions(); err != nil || !slices.Equal(all, []string{"aa", "bb"}) {
		t.Errorf("versions %v, %v", all, err)
	}
	if err := f.Remove("aa"); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(f.Dir)
	if err != nil || len(list) != 2 || list[0].Name() != "bb" || list[1].Name() != "bb.shape" {
		t.Errorf("after the removal there is %v, %v", list, err)
	}
}

// A state that was copied from another deployment is not taken for ours.
func describe(t *testing.T, f *Folder, hash string) {
	t.Helper()
	if err := f.Describe(hash, &schema.Table{Schema: "views", Name: "v", Columns: columns, Key: []int{0}}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestOtherState(t *testing.T) {
	t.Run("R06 wrong state directory", func(t *testing.T) {
		theirs, ours := folder(t, "other"), folder(t, "shop")
		commit(t, theirs, "aa", "theirs")
		if err := os.MkdirAll(filepath.Dir(ours.Dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(theirs.Dir, ours.Dir); err != nil {
			t.Fatal(err)
		}
		told := false
		ours.Other = func(error) { told = true }
		if got := progressOf(t, ours, "aa"); got != "" || !told {
			t.Errorf("a foreign state gave progress %q; told: %v", got, told)
		}
	})
	t.Run("R06 two holders", func(t *testing.T) {
		f := folder(t, "shop")
		s, err := f.Open("aa")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if second, err := f.Open("aa"); err == nil {
			second.Close()
			t.Error("a state was opened twice")
		}
	})
}

func TestDamagedState(t *testing.T) {
	t.Run("R07 a flipped file", func(t *testing.T) {
		f := folder(t, "shop")
		commit(t, f, "aa", "one")
		files, err := filepath.Glob(filepath.Join(f.Dir, "aa", "pebble", "MANIFEST*"))
		if err != nil || len(files) == 0 {
			t.Fatal("no manifest to damage")
		}
		for _, name := range files {
			if err := os.WriteFile(name, []byte("not a manifest at all"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.Open("aa"); !errors.Is(err, view.ErrDamaged) {
			t.Fatalf("opened a damaged state: %v", err)
		}
		if got := progressOf(t, f, "aa"); got != "" {
			t.Errorf("the second opening gives progress %q", got)
		}
	})
}

func TestShape(t *testing.T) {
	f := folder(t, "shop")
	indexes := [][]int{{2}, {1, 2}}
	if err := f.Describe("aa", &schema.Table{Schema: "views", Name: "v", Columns: columns, Key: []int{0}}, indexes); err != nil {
		t.Fatal(err)
	}
	s, err := f.Shape("aa")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(columns, s.Columns); diff != "" {
		t.Errorf("columns (-wrote +read):\n%s", diff)
	}
	if !slices.Equal(s.Key, []int{0}) || !cmp.Equal(s.Indexes, indexes) {
		t.Errorf("key %v, indexes %v", s.Key, s.Indexes)
	}
}
