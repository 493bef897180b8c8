package pgserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A kept cluster is one as initdb left it, with the password file of its maker:
//
//	kept/<hash>/data/
//	kept/<hash>/password
//
// The hash is of the binaries and of initdb's arguments. Only the account that made it
// can read it.

// KeptClusters makes the folder where this user's tests keep clusters; see Options.Kept.
func KeptClusters() (string, error) {
	cache, err := defaultCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "clusters")
	return folder, makeKept(folder)
}

// makeKept makes a private folder in one that other accounts may enter: programs lie
// beside it, which the account runs that a server has when we are root.
func makeKept(folder string) error {
	return errors.Join(os.MkdirAll(filepath.Dir(folder), 0o755), os.MkdirAll(folder, 0o700))
}

// copyKept makes the cluster from a kept one, after initdb has made that if there is none.
func (s *Server) copyKept(ctx context.Context, locale string) error {
	like := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%q", s.bin.Dir, s.bin.Version, s.initdbArguments(locale, "", "")))
	kept := filepath.Join(s.options.Kept, fmt.Sprintf("%x", like[:8]))
	if _, err := os.Stat(kept); errors.Is(err, fs.ErrNotExist) {
		if err := s.initdb(ctx, locale); err != nil {
			return err
		}
		if err := s.keep(kept); err != nil {
			return keptError{fmt.Errorf("keep a cluster in %s: %w", kept, err)}
		}
		return nil
	}
	if err := s.copyFrom(kept); err != nil {
		return keptError{fmt.Errorf("copy the cluster kept in %s: %w\n  mend: delete that folder", kept, err)}
	}
	return nil
}

// A keptError is of the folder in which clusters are kept: another locale does not help.
type keptError struct{ error }

func (e keptError) Unwrap() error { return e.error }

// keep copies what initdb has made to where it is kept, in one step; another process may
// have done so meanwhile.
func (s *Server) keep(kept string) error {
	if err := makeKept(s.options.Kept); err != nil {
		return err
	}
	beside, err := os.MkdirTemp(s.options.Kept, ".cluster-") // 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(beside)
	if err := errors.Join(
		os.CopyFS(filepath.Join(beside, "data"), os.DirFS(s.data())),
		os.WriteFile(filepath.Join(beside, "password"), []byte(s.password), 0o600),
	); err != nil {
		return err
	}
	if err := os.Rename(beside, kept); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// copyFrom copies a kept cluster, whose password becomes the server's, and gives it a system
// identifier of its own, as every run of initdb does.
func (s *Server) copyFrom(kept string) error {
	password, err := os.ReadFile(filepath.Join(kept, "password"))
	if err != nil {
		return err
	}
	if err := s.writePassword(string(password)); err != nil {
		return err
	}
	if err := os.CopyFS(s.data(), os.DirFS(filepath.Join(kept, "data"))); err != nil {
		return err
	}
	if err := identify(s.data(), newIdentifier()); err != nil {
		return err
	}
	return filepath.WalkDir(s.data(), func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, s.account.Give(path))
	})
}

// newIdentifier is as Postgres makes them: the second in the upper half, and below it what
// two servers of one second differ in.
func newIdentifier() uint64 { return uint64(time.Now().Unix())<<32 | uint64(rand.Uint32()) }

// identify writes a system identifier into a cluster that was shut down in order.
func identify(data string, id uint64) error {
	old, err := identifyControl(filepath.Join(data, "global", "pg_control"), id)
	if err != nil {
		return err
	}
	segments, err := filepath.Glob(filepath.Join(data, "pg_wal", strings.Repeat("[0-9A-F]", 24)))
	for _, path := range segments {
		err = errors.Join(err, identifySegment(path, old, id))
	}
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// identifyControl rewrites pg_control, and gives the identifier that it held. The file
// begins with it, and zeros follow a checksum over all before; how much that is differs
// between versions.
//
//	identifier 8 │ … │ CRC-32C 4 │ 0 …
func identifyControl(path string, id uint64) (old uint64, err error) {
	control, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	end := len(bytes.TrimRight(control, "\x00"))
	for sum := max(8, end-4); sum <= end && sum+4 <= len(control); sum++ { // the checksum's own end may be zeros
		if crc32.Checksum(control[:sum], castagnoli) != binary.NativeEndian.Uint32(control[sum:]) {
			continue
		}
		old = binary.NativeEndian.Uint64(control)
		binary.NativeEndian.PutUint64(control, id)
		binary.NativeEndian.PutUint32(control[sum:], crc32.Checksum(control[:sum], castagnoli))
		return old, os.WriteFile(path, control, 0o600)
	}
	return 0, fmt.Errorf("%s: no checksum of Postgres ends it", path)
}

// identifySegment rewrites the first page's header in a segment of WAL, which recovery
// compares with pg_control. Headers have no checksum.
//
//	magic, flags, timeline, address, rest 24 │ identifier 8 │ …
func identifySegment(path string, old, id uint64) error {
	const at = 24
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var field [8]byte
	if _, err := f.ReadAt(field[:], at); err != nil {
		return err
	}
	if binary.NativeEndian.Uint64(field[:]) != old {
		return nil // not written yet
	}
	binary.NativeEndian.PutUint64(field[:], id)
	_, err = f.WriteAt(field[:], at)
	return err
}
