package bleve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/util"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// A tornError says why a build cannot be believed.
type tornError struct{ why string }

func (t *tornError) Error() string { return t.why }

func torn(format string, args ...any) error { return &tornError{fmt.Sprintf(format, args...)} }

// isTorn tells what is wrong with a build from what keeps it from being read now:
// a lock, rights, a full disk.
func isTorn(err error) bool {
	var t *tornError
	return errors.As(err, &t)
}

// guard calls f, whose panics and memory faults on mapped files are errors.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = torn("its files cannot be taken apart: %v", r)
		}
	}()
	return f()
}

// judge marks an error of opening files as one of their content, unless the system
// refused.
func judge(err error) error {
	var errno syscall.Errno
	switch {
	case err == nil, isTorn(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, bolterrors.ErrTimeout):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return torn("a file is missing")
	case errors.As(err, &errno):
		return err
	}
	return torn("%v", err)
}

// inspect checks every byte that the newest snapshot of an index consists of. The
// library checks none of them when it opens one.
func inspect(ctx context.Context, dir string, patience time.Duration) error {
	path := filepath.Join(dir, rootFile)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() == 0 { // whoever made it was killed before it had a first page
		return fs.ErrNotExist
	}
	var segments []string
	err = guard(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: patience})
		if err != nil {
			return err
		}
		defer db.Close()
		if err := checkRoot(path, db.Info().PageSize); err != nil {
			return err
		}
		return db.View(func(tx *bbolt.Tx) error {
			segments, err = newestSegments(tx)
			return err
		})
	})
	if err != nil {
		return judge(err)
	}
	for _, name := range segments {
		if err := checkSegment(ctx, filepath.Join(dir, name)); err != nil {
			return judge(err)
		}
	}
	return nil
}

// newestSegments gives the files of the newest snapshot in the list.
func newestSegments(tx *bbolt.Tx) (files []string, err error) {
	snapshots := tx.Bucket(util.BoltSnapshotsBucket)
	if snapshots == nil {
		return nil, nil
	}
	newest, _ := snapshots.Cursor().Last()
	if newest == nil || snapshots.Bucket(newest) == nil {
		return nil, nil
	}
	return files, snapshots.Bucket(newest).ForEachBucket(func(k []byte) error {
		if file := snapshots.Bucket(newest).Bucket(k).Get(util.BoltPathKey); file != nil {
			files = append(files, filepath.Base(string(file)))
		}
		return nil
	})
}

// checkSegment holds a segment to the checksum at its end.
func checkSegment(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < 4 {
		return torn("segment %s is cut off", filepath.Base(path))
	}
	sum, buf := crc32.NewIEEE(), make([]byte, 1<<20)
	body := io.LimitReader(f, info.Size()-4)
	for {
		n, err := body.Read(buf)
		_, _ = sum.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	var last [4]byte
	if _, err := io.ReadFull(f, last[:]); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(last[:]) != sum.Sum32() {
		return torn("segment %s does not have the checksum at its end", filepath.Base(path))
	}
	return nil
}

// recount holds the living documents of an index to its own record.
func recount(ctx context.Context, snap *scorch.IndexSnapshot, s *state) error {
	var count, sum uint64
	for _, segment := range snap.Segments() {
		for living := segment.DocNumbersLive().Iterator(); living.HasNext(); count++ {
			id, err := segment.DocID(uint64(living.Next()))
			if err != nil {
				return torn("a document has no id: %v", err)
			}
			if sum += idHash(id); count%4096 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	if count != s.count || sum != s.sum {
		return torn("it holds other documents than it says: %d, where its record has %d", count, s.count)
	}
	return nil
}
