package bleve

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// A folder is where the builds of one sink lie. Its names are fixed or counted,
// and everything but the builds themselves goes through a root that nothing leads
// out of (X10).
type folder struct {
	path string
	root *os.Root
}

const (
	livePointer    = "live"
	fillingPointer = "filling"
	tornFolder     = "torn"
)

var (
	sinkName  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,40}$`)
	buildName = regexp.MustCompile(`^b[1-9][0-9]{0,17}$`)
)

func openFolder(dir, name string) (*folder, error) {
	if !sinkName.MatchString(name) {
		return nil, badPlace(name)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	all, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	if err := all.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if info, err := all.Lstat(name); err != nil || !info.IsDir() {
		return nil, errors.Join(badPlace(name), err)
	}
	root, err := all.OpenRoot(name)
	return &folder{filepath.Join(dir, name), root}, err
}

// dir is where a build lies.
func (f *folder) dir(build string) string { return filepath.Join(f.path, build) }

// pointed reads a pointer; empty: there is none, or it names no build.
func (f *folder) pointed(pointer string) (string, error) {
	file, err := f.root.Open(pointer)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 64))
	name := strings.TrimSpace(string(text))
	if !buildName.MatchString(name) {
		name = ""
	}
	return name, err
}

// point makes a pointer name a build, in one step.
func (f *folder) point(pointer, build string) error {
	beside := pointer + ".new"
	file, err := f.root.OpenFile(beside, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, build)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := f.root.Rename(beside, pointer); err != nil {
		return err
	}
	return f.sync()
}

// unpoint removes a pointer; none is none.
func (f *folder) unpoint(pointer string) error {
	if err := f.root.Remove(pointer); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.sync()
}

// next gives a name that no build has.
func (f *folder) next() (string, error) {
	last := uint64(0)
	names, err := f.builds()
	for _, name := range names {
		if n, err := strconv.ParseUint(name[1:], 10, 64); err == nil {
			last = max(last, n)
		}
	}
	for _, pointer := range []string{livePointer, fillingPointer} {
		name, err := f.pointed(pointer)
		if err != nil {
			return "", err
		}
		if n, err := strconv.ParseUint(strings.TrimPrefix(name, "b"), 10, 64); err == nil {
			last = max(last, n)
		}
	}
	return "b" + strconv.FormatUint(last+1, 10), err
}

// builds are those that lie in the folder.
func (f *folder) builds() (names []string, err error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	for _, e := range entries {
		if buildName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// enter makes the folder of a build, and refuses what is none: a link could lead
// anywhere.
func (f *folder) enter(build string) error {
	if err := f.root.Mkdir(build, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := f.root.Lstat(build)
	if err == nil && !info.IsDir() {
		err = torn("%s is no folder", build)
	}
	return err
}

// setAside moves a build away that cannot be believed; the one before it goes.
func (f *folder) setAside(build string) error {
	if err := f.root.RemoveAll(tornFolder); err != nil {
		return err
	}
	err := f.root.Rename(build, tornFolder)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, f.sync())
}

// sweep removes the builds that no pointer names.
func (f *folder) sweep(kept ...string) error {
	names, err := f.builds()
	for _, name := range names {
		keep := false
		for _, k := range kept {
			keep = keep || k == name
		}
		if !keep {
			err = errors.Join(err, f.root.RemoveAll(name))
		}
	}
	return err
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (f *folder) close() error { return f.root.Close() }

// sync makes what was named and removed durable. Windows has no such call.
func (f *folder) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
