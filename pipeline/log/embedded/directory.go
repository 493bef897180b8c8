package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
)

// The refusals of Open.
const (
	// RefuseTaken: another process holds the directory (O04).
	RefuseTaken pipeline.Code = "LOG_DIR_TAKEN"
	// RefuseNewer: a newer release wrote the directory (O11).
	RefuseNewer pipeline.Code = "LOG_FORMAT_NEWER"
	// RefuseForeign: the directory holds something else.
	RefuseForeign pipeline.Code = "LOG_DIR_FOREIGN"
	// RefuseMissing: there is no log to read.
	RefuseMissing pipeline.Code = "LOG_DIR_MISSING"
)

// format counts what an older release could not read.
const format = 1

// The files of a log's directory, besides Pebble's own folder.
const (
	lockFile     = "LOCK"   // locked while a process has the log open
	holderFile   = "HOLDER" // who that is, for people
	identityFile = "EVERT"  // the format, and what made it
	pebbleFolder = "pebble"
)

// identity is the content of identityFile.
type identity struct {
	Kind    string    `json:"kind"`
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
}

// holder is the content of holderFile.
type holder struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// directory is a log's directory, locked.
type directory struct {
	fs   vfs.FS
	path string
	lock io.Closer
}

// lockDirectory takes the directory, waiting for another holder as long as
// cfg says.
func lockDirectory(cfg Config) (*directory, error) {
	d := &directory{fs: cfg.FS, path: cfg.Dir}
	if cfg.ReadOnly {
		if _, err := d.fs.Stat(d.file(identityFile)); err != nil {
			return nil, &pipeline.Refusal{Code: RefuseMissing, Where: d.path, What: "there is no log here", Err: err, Mend: "evert run"}
		}
	}
	if err := d.make(); err != nil {
		return nil, fmt.Errorf("make %s: %w", d.path, err)
	}
	if err := d.acquire(cfg.LockWait); err != nil {
		return nil, err
	}
	if err := d.identify(cfg); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

func (d *directory) file(name string) string { return d.fs.PathJoin(d.path, name) }

// make makes the directory so that it outlives a power cut: its name is synced
// in its parent, and so is every parent's that was missing.
func (d *directory) make() error {
	missing := []string{d.path}
	for at := d.path; ; {
		parent := d.fs.PathDir(at)
		if _, err := d.fs.Stat(parent); err == nil || parent == at {
			break
		}
		missing = append(missing, parent)
		at = parent
	}
	if err := d.fs.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	for _, path := range slices.Backward(missing) {
		if err := d.sync(d.fs.PathDir(path)); err != nil {
			return err
		}
	}
	return nil
}

func (d *directory) acquire(wait time.Duration) (err error) {
	const step = 50 * time.Millisecond
	for ; ; wait -= step {
		if d.lock, err = d.fs.Lock(d.file(lockFile)); err == nil {
			return nil
		}
		if wait <= 0 {
			return d.taken(err)
		}
		time.Sleep(min(step, wait))
	}
}

func (d *directory) taken(err error) error {
	r := &pipeline.Refusal{Code: RefuseTaken, Where: d.path, What: "another process holds the log", Err: err, Mend: "stop it, or give this one a data_dir of its own"}
	var h holder
	if d.read(holderFile, &h) == nil && h.PID != 0 {
		r.What = fmt.Sprintf("process %d holds the log since %s", h.PID, h.Since.Format(time.RFC3339))
		r.Mend = fmt.Sprintf("kill %d   # or give this one a data_dir of its own", h.PID)
	}
	return r
}

// identify writes the identity of a new directory, or checks that of an old one.
func (d *directory) identify(cfg Config) error {
	var id identity
	err := d.read(identityFile, &id)
	switch {
	case errors.Is(err, os.ErrNotExist):
		err = d.create(identity{Kind: "log", Format: format, Created: cfg.Now().UTC()})
	case err != nil || id.Kind != "log":
		return &pipeline.Refusal{Code: RefuseForeign, Where: d.file(identityFile), What: "this is not a log's directory", Err: err, Mend: "set data_dir to another directory"}
	case id.Format > format: // O11
		return &pipeline.Refusal{
			Code: RefuseNewer, Where: d.path, What: fmt.Sprintf("the log has format %d, this release reads up to %d", id.Format, format),
			Mend: "install the release that wrote it, or a later one",
		}
	}
	if err != nil || cfg.ReadOnly {
		return err
	}
	return d.write(holderFile, holder{PID: os.Getpid(), Since: cfg.Now().UTC()})
}

// create begins a log, where nothing lies yet.
func (d *directory) create(id identity) error {
	if _, err := d.fs.Stat(d.file(pebbleFolder)); err == nil {
		return &pipeline.Refusal{Code: RefuseForeign, Where: d.path, What: "it has a store without " + identityFile, Mend: "set data_dir to another directory"}
	}
	return d.write(identityFile, id)
}

func (d *directory) read(name string, into any) error {
	f, err := d.fs.Open(d.file(name))
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// write replaces a file so that a crash leaves the old one or the new one.
func (d *directory) write(name string, content any) error {
	b, err := json.Marshal(content)
	if err != nil {
		return err
	}
	temp := d.file(name + ".new")
	f, err := d.fs.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", temp, err)
	}
	if err := d.fs.Rename(temp, d.file(name)); err != nil {
		return err
	}
	return d.sync(d.path)
}

func (d *directory) sync(path string) error {
	f, err := d.fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *directory) release() error { return d.lock.Close() }
