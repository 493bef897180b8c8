package files

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A folder is a sink's path while a target has it open.
type folder struct {
	*os.Root
	lock      *os.File
	signature string
}

var errReplaced = errors.New("another process delivers to the folder now")

// openFolder makes the folder if need be, and signs its lock: from then on no
// older holder writes.
func openFolder(ctx context.Context, path string) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	lock, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		root.Close()
		return nil, err
	}
	var name [16]byte
	_, _ = rand.Read(name[:])
	d := &folder{root, lock, hex.EncodeToString(name[:])}
	err = d.locked(ctx, func() error {
		_, err := lock.WriteAt([]byte(d.signature), 0)
		return err
	})
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// holding runs fn while nobody else can write, and only if the folder is ours.
func (d *folder) holding(ctx context.Context, fn func() error) error {
	return d.locked(ctx, func() error {
		signed := make([]byte, len(d.signature))
		if _, err := d.lock.ReadAt(signed, 0); err != nil {
			return err
		}
		if string(signed) != d.signature {
			return errReplaced
		}
		return fn()
	})
}

// lockPeriod is how often is tried to get a lock that another process has for the
// time of one write.
const lockPeriod = 2 * time.Millisecond

func (d *folder) locked(ctx context.Context, fn func() error) error {
	for {
		err := tryLock(d.lock)
		if err == nil {
			break
		}
		if !errors.Is(err, errLocked) {
			return err
		}
		if err := pipeline.Pause(ctx, lockPeriod); err != nil {
			return err
		}
	}
	return errors.Join(fn(), unlock(d.lock))
}

func (d *folder) close() { _ = errors.Join(d.lock.Close(), d.Root.Close()) }

// nextSeries gives a name that no series has or had, as far as old (nil: there is
// none) knows.
func (d *folder) nextSeries(old *manifest) (string, error) {
	names, err := d.list(".")
	if err != nil {
		return "", err
	}
	if old != nil {
		names = append(names, old.Seen, old.Filling)
	}
	last := 0
	for _, name := range names {
		if seriesName.MatchString(name) {
			n, _ := strconv.Atoi(name)
			last = max(last, n)
		}
	}
	return fmt.Sprintf("%08d", last+1), nil
}

// begin makes a manifest of a new series, which is filled beside the one of old
// (nil: there is none), and drops what an earlier fill left.
func (d *folder) begin(owner string, old *manifest) (*manifest, error) {
	series, err := d.nextSeries(old)
	if err != nil {
		return nil, err
	}
	m := &manifest{Version: 1, Owner: owner, Filling: series}
	if old != nil {
		m.Seen = old.Seen
	}
	if err := d.Mkdir(series, 0o700); err != nil {
		return nil, err
	}
	if err := cmp.Or(syncDir(d.Root, "."), m.write(d.Root)); err != nil {
		return nil, err
	}
	if old != nil && old.Filling != "" {
		err = d.RemoveAll(old.Filling)
	}
	return m, err
}

// settle makes the series that is written what its manifest says. A Renewal says
// that it cannot.
func (d *folder) settle(m *manifest) error {
	series := m.writing()
	names, err := d.list(series)
	if errors.Is(err, fs.ErrNotExist) {
		return lost("its folder is gone")
	} else if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, f := range m.Finished {
		if slices.Contains(names, f.Name+openSuffix) {
			if err := d.finish(series, &f); err != nil {
				return err
			}
		}
	}
	for i := range 1 + len(m.Beside) {
		f := m.open(i)
		if f == nil {
			continue
		}
		keep[f.Name+openSuffix] = true
		if err := d.cut(series, f); err != nil {
			return err
		}
	}
	for _, name := range names {
		if strings.HasSuffix(name, openSuffix) && !keep[name] {
			if err := d.Remove(series + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return syncDir(d.Root, series)
}

// cut takes off what was written behind the last commit.
func (d *folder) cut(series string, f *file) error {
	at, err := d.OpenFile(series+"/"+f.Name+openSuffix, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return lost("the file that was written is gone")
	} else if err != nil {
		return err
	}
	defer at.Close()
	info, err := at.Stat()
	if err != nil {
		return err
	}
	if info.Size() < f.Bytes {
		return lost("the file that was written is shorter than what was committed to it")
	}
	return cmp.Or(at.Truncate(f.Bytes), at.Sync())
}

// finish gives a committed file its name.
func (d *folder) finish(series string, f *file) error {
	if err := d.cut(series, f); err != nil {
		return err
	}
	return d.Rename(series+"/"+f.Name+openSuffix, series+"/"+f.Name)
}

// leave finishes the series that readers see: nothing is written to it any more.
func (d *folder) leave(m *manifest) error {
	err := d.settle(m)
	for i := range 1 + len(m.Beside) {
		if f := m.open(i); err == nil && f != nil {
			err = d.finish(m.Seen, f)
		}
	}
	if isRenewal(err) {
		return nil // what is gone is gone; that is why a new one is begun
	}
	return err
}

// list gives the names in a folder, or nothing where there is none.
func (d *folder) list(name string) ([]string, error) {
	dir, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}

// expire removes finished files that are older than age.
func (d *folder) expire(m *manifest, age time.Duration, now time.Time) error {
	all, err := d.list(".")
	if err != nil {
		return err
	}
	for _, series := range all {
		if !seriesName.MatchString(series) {
			continue
		}
		if err := d.expireSeries(series, now.Add(-age)); err != nil {
			return err
		}
		if series != m.Seen && series != m.Filling {
			_ = d.Remove(series) // if it is empty
		}
	}
	return nil
}

func (d *folder) expireSeries(series string, before time.Time) error {
	names, err := d.list(series)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !fileName.MatchString(name) {
			continue
		}
		info, err := d.Lstat(series + "/" + name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(before) {
			continue
		}
		if err := cmp.Or(err, d.Remove(series+"/"+name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// trouble makes an error of the file system one that a person can act on.
func trouble(sink, path string, err error) error {
	var r *pipeline.Refusal
	switch {
	case err == nil, errors.As(err, &r), errors.Is(err, errReplaced), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), isRenewal(err):
		return err
	case isFull(err):
		return &pipeline.Refusal{Code: CodeFull, Where: "sink " + sink + ", folder " + path, What: "the disk is full", Err: err,
			Mend: "make room; the sink goes on by itself, and nothing is lost"}
	}
	return &pipeline.Refusal{Code: CodeAccess, Where: "sink " + sink + ", folder " + path, What: "it cannot be written", Err: err,
		Mend: "let the user who runs Evert read and write it, or write another path below sinks." + sink + ".files"}
}
