package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
)

// filled gives a file system with a state on it, and its story.
func filled(t *testing.T, seed uint64) (*vfs.MemFS, *story) {
	fs, y := vfs.NewMem(), newStory(seed)
	s := open(t, small(fs))
	for range 30 {
		must(t, y.epoch(s))
	}
	must(t, s.Close())
	return fs, y
}

// copyOf copies a file system.
func copyOf(t *testing.T, fs *vfs.MemFS) *vfs.MemFS {
	t.Helper()
	c := vfs.NewMem()
	if ok, err := vfs.Clone(fs, c, "state", "state"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return c
}

// files gives the paths below a folder with their contents.
func filesBelow(t *testing.T, fs *vfs.MemFS, folder string) map[string][]byte {
	t.Helper()
	names, err := fs.List(folder)
	must(t, err)
	found := map[string][]byte{}
	for _, name := range names {
		path := fs.PathJoin(folder, name)
		if info, err := fs.Stat(path); err != nil || info.IsDir() {
			continue
		}
		f, err := fs.Open(path)
		must(t, err)
		b, err := io.ReadAll(f)
		must(t, err)
		must(t, f.Close())
		found[path] = b
	}
	return found
}

func overwrite(t *testing.T, fs *vfs.MemFS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = f.Write(b)
	must(t, errors.Join(err, f.Close()))
}

// kindOf is what a file of Pebble's is called without its number.
func kindOf(path string) string {
	name := path[strings.LastIndex(path, "/")+1:]
	return strings.Trim(name, "0123456789-.")
}

// No wrong byte in any file is ever taken for state: it is either found, or
// harmless (R07).
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	fs, y := filled(t, 5)
	rng := rand.New(rand.NewPCG(5, 5))
	found, harmless := map[string]int{}, map[string]int{}
	for path, content := range filesBelow(t, fs, "state/"+pebbleFolder) {
		for range min(len(content), int(seeds(6, 200))) {
			c := copyOf(t, fs)
			wrong := append([]byte(nil), content...)
			at := rng.IntN(len(wrong))
			wrong[at] ^= 1 << rng.IntN(8)
			overwrite(t, c, path, wrong)
			switch err := use(c, y); {
			case errors.Is(err, ErrDamaged):
				found[kindOf(path)]++
			case err != nil:
				t.Errorf("R07: byte %d of %s is wrong: %v", at, path, err)
			default:
				harmless[kindOf(path)]++
			}
		}
	}
	t.Logf("found %v, harmless %v", found, harmless)
	for _, kind := range []string{"sst", "MANIFEST"} {
		if found[kind] == 0 {
			t.Errorf("R07: no wrong byte was found in a file of kind %s", kind)
		}
	}
}

// use opens a state, compares all of it, goes on, and closes it.
func use(fs *vfs.MemFS, y *story) error {
	s, err := Open("state", thing, small(fs))
	if err != nil {
		return err
	}
	err = y.check(s)
	return errors.Join(err, s.Close())
}

// A file that is not there is found as well.
func TestMissingFiles(t *testing.T) {
	t.Parallel()
	fs, y := filled(t, 6)
	for path := range filesBelow(t, fs, "state/"+pebbleFolder) {
		if kindOf(path) != "sst" && kindOf(path) != "MANIFEST" {
			continue
		}
		c := copyOf(t, fs)
		must(t, c.Remove(path))
		if err := use(c, y); !errors.Is(err, ErrDamaged) {
			t.Errorf("R07: without %s: %v", path, err)
		}
	}
}

// damageAll makes every table unreadable.
func damageAll(t *testing.T, fs *vfs.MemFS) {
	for path, content := range filesBelow(t, fs, "state/"+pebbleFolder) {
		if kindOf(path) == "sst" {
			for i := range content {
				content[i] ^= 0x55
			}
			overwrite(t, fs, path, content)
		}
	}
}

// A damaged state is put aside and made anew once; the second time a person has
// to look (R07).
func TestRebuiltOnce(t *testing.T) {
	t.Parallel()
	t.Run("R07 rebuilt once", func(t *testing.T) {
		fs, y := filled(t, 7)
		damageAll(t, fs)
		if err := use(fs, y); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%v", err)
		}
		if _, err := fs.Stat("state" + asideSuffix + "/" + identityFile); err != nil {
			t.Fatalf("the damaged state was not put aside: %v", err)
		}
		s := open(t, small(fs))
		if s.Progress() != nil {
			t.Fatalf("the new state has progress %s", s.Progress())
		}
		y = newStory(8)
		for range 10 {
			must(t, y.epoch(s))
		}
		must(t, s.Close())
		damageAll(t, fs)
		for range 2 {
			if err := use(fs, y); pipeline.CodeOf(err) != RefuseDamaged {
				t.Fatalf("damaged again: %v", err)
			}
		}
		must(t, fs.RemoveAll("state"+asideSuffix))
		if err := use(fs, y); !errors.Is(err, ErrDamaged) || pipeline.CodeOf(err) != "" {
			t.Fatalf("after somebody looked: %v", err)
		}
		must(t, use(fs, newStory(0)))
	})
}

// Damage that is met while the state is in use stops it; nothing is committed
// on top of it.
func TestDamageInUse(t *testing.T) {
	t.Parallel()
	fs, y := filled(t, 9)
	s := open(t, small(fs))
	s.damage(fmt.Errorf("a test"))
	if err := y.epoch(s); !errors.Is(err, ErrDamaged) {
		t.Errorf("R07: an epoch over damage: %v", err)
	}
	if _, err := s.Snapshot(); !errors.Is(err, ErrDamaged) {
		t.Errorf("R07: a read of damage: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrDamaged) {
		t.Errorf("R07: %v", err)
	}
	must(t, use(fs, newStory(0)))
}
