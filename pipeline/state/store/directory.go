package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
)

// Identity says what a state is of. State of one identity means nothing to
// another.
type Identity struct {
	Deployment string            `json:"deployment"`
	View       string            `json:"view"`
	Plan       string            `json:"plan"`   // hash of the compiled definition (R15)
	Log        string            `json:"log"`    // the cluster, or the embedded log
	Topics     map[string]string `json:"topics"` // of the inputs: topic → incarnation
}

// difference names the fields in which two identities differ.
func (i *Identity) difference(o *Identity) string {
	var names []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"deployment", i.Deployment == o.Deployment}, {"view", i.View == o.View}, {"plan", i.Plan == o.Plan},
		{"log", i.Log == o.Log}, {"topics", maps.Equal(i.Topics, o.Topics)},
	} {
		if !f.same {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

// format counts what another release could not read.
const format = 1

// The files of a store's directory.
const (
	lockFile     = "LOCK"
	identityFile = "EVERT"
	pebbleFolder = "pebble"
	epochFolder  = "epoch"
	asideSuffix  = ".damaged" // of a directory that was put aside
	goneSuffix   = ".removed" // of a directory that is being removed
)

// inscription is the content of identityFile.
type inscription struct {
	Kind   string `json:"kind"`
	Format int    `json:"format"`
	Identity
}

const kindState = "state"

// directory is a store's directory, locked.
type directory struct {
	fs   vfs.FS
	path string
	lock io.Closer
}

// lockDirectory takes a directory that exists.
func lockDirectory(fs vfs.FS, path string) (*directory, error) {
	d := &directory{fs: fs, path: path}
	lock, err := fs.Lock(d.file(lockFile))
	if err != nil {
		return nil, &pipeline.Refusal{
			Code: RefuseTaken, Where: path, What: "another process holds this state", Err: err,
			Mend: "stop it, or give this one a data_dir of its own",
		}
	}
	d.lock = lock
	return d, nil
}

func (d *directory) file(name string) string { return d.fs.PathJoin(d.path, name) }

// identify writes the identity of a new directory, or checks that of an old one.
func (d *directory) identify(id Identity, readOnly bool) error {
	found, err := d.read()
	switch {
	case errors.Is(err, os.ErrNotExist) && !readOnly:
		return d.create(id)
	case err != nil:
		return err
	case found.Format != format:
		return d.other(fmt.Sprintf("the state has format %d, this release has %d", found.Format, format))
	}
	if diff := found.difference(&id); diff != "" {
		return d.other("the state is of something else; these differ: " + diff)
	}
	return nil
}

func (d *directory) other(what string) error {
	return &pipeline.Refusal{Code: RefuseOther, Where: d.path, What: what, Mend: "let it be thrown away: it is made anew from the log"}
}

func (d *directory) foreign(what string, err error) error {
	return &pipeline.Refusal{Code: RefuseForeign, Where: d.path, What: what, Err: err, Mend: "set data_dir to another directory"}
}

// read reads the identity. What is not ours is a refusal.
func (d *directory) read() (inscription, error) {
	var in inscription
	f, err := d.fs.Open(d.file(identityFile))
	if err != nil {
		return in, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	if err != nil || in.Kind != kindState {
		return in, d.foreign("this is not the directory of a state", err)
	}
	return in, nil
}

// create begins a state, where nothing lies yet.
func (d *directory) create(id Identity) error {
	if err := d.unclaimed(); err != nil {
		return err
	}
	b, err := json.Marshal(inscription{Kind: kindState, Format: format, Identity: id})
	if err != nil {
		return err
	}
	return d.write(identityFile, append(b, '\n'))
}

// unclaimed refuses a directory without an identity that has something to lose.
func (d *directory) unclaimed() error {
	if _, err := d.fs.Stat(d.file(pebbleFolder)); err == nil {
		return d.foreign("it has a store without "+identityFile, nil)
	}
	return nil
}

// write writes a file so that a crash leaves all of it or nothing.
func (d *directory) write(name string, b []byte) error {
	temp := d.file(name + ".new")
	f, err := d.fs.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", temp, err)
	}
	if err := d.fs.Rename(temp, d.file(name)); err != nil {
		return err
	}
	return syncFolder(d.fs, d.path)
}

func syncFolder(fs vfs.FS, path string) error {
	f, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// makeDurable makes a folder so that it outlives a power cut: its name is synced
// in its parent, and so is every parent's that was missing.
func makeDurable(fs vfs.FS, path string) error {
	missing := []string{path}
	for at := path; ; {
		parent := fs.PathDir(at)
		if _, err := fs.Stat(parent); err == nil || parent == at {
			break
		}
		missing = append(missing, parent)
		at = parent
	}
	if err := fs.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for _, m := range slices.Backward(missing) {
		if err := syncFolder(fs, fs.PathDir(m)); err != nil {
			return err
		}
	}
	return nil
}

// empty makes a folder of the directory anew.
func (d *directory) empty(name string) error {
	if err := d.fs.RemoveAll(d.file(name)); err != nil {
		return err
	}
	return d.fs.MkdirAll(d.file(name), 0o700)
}

func (d *directory) release() error { return d.lock.Close() }

// aside gives the place of a state that is put aside.
func (d *directory) aside() string { return d.path + asideSuffix }

// putAside renames the directory, which is released before. If one lies there
// already, this is the second time, and a refusal (R07).
func (d *directory) putAside(cause error) error {
	if _, err := d.fs.Stat(d.aside()); err == nil {
		return &pipeline.Refusal{
			Code: RefuseDamaged, Where: d.path, Err: cause,
			What: "the state is damaged again, after it was made anew: the disk or the memory of this machine fails",
			Mend: "look into the machine's disk and memory, then delete " + d.aside() + " and " + d.path,
		}
	}
	if err := d.fs.Rename(d.path, d.aside()); err != nil {
		return errors.Join(cause, fmt.Errorf("put the damaged state aside: %w", err))
	}
	return syncFolder(d.fs, d.fs.PathDir(d.path))
}

// Remove throws the state in dir away, whatever it is of. A directory that
// another process holds, or that does not hold a state, is a refusal; that there
// is none is no error.
func Remove(dir string, o Options) error {
	o = o.withDefaults()
	if _, err := o.FS.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	d, err := lockDirectory(o.FS, dir)
	if err != nil {
		return err
	}
	_, err = d.read()
	if errors.Is(err, os.ErrNotExist) {
		err = d.unclaimed()
	}
	if err = errors.Join(err, d.release()); err != nil {
		return err
	}
	if err := o.FS.Rename(dir, dir+goneSuffix); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return o.FS.RemoveAll(dir + goneSuffix)
}
