package pgserver

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/ulikunitz/xz"
)

// maxUnpackedBytes bounds a bundle's tree; the largest pinned one has 300 MB.
const maxUnpackedBytes = 1 << 30

// unpack writes the tree of a bundle's inner archive into the new folder dir.
// No entry can lead outside of it: all go through an os.Root.
func unpack(ctx context.Context, jar, dir string) error {
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer archive.Close()
	for _, entry := range archive.File {
		if strings.HasSuffix(entry.Name, ".txz") {
			return unpackInner(ctx, entry, dir)
		}
	}
	return errors.New("the bundle holds no .txz")
}

func unpackInner(ctx context.Context, entry *zip.File, dir string) error {
	inner, err := entry.Open()
	if err != nil {
		return err
	}
	defer inner.Close()
	plain, err := xz.NewReader(bufio.NewReaderSize(inner, 1<<16))
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return writeTree(ctx, root, tar.NewReader(io.LimitReader(plain, maxUnpackedBytes)))
}

func writeTree(ctx context.Context, root *os.Root, r *tar.Reader) error {
	for ctx.Err() == nil {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := writeEntry(root, h, r); err != nil {
			return fmt.Errorf("unpack %q: %w", h.Name, err)
		}
	}
	return ctx.Err()
}

func writeEntry(root *os.Root, h *tar.Header, r io.Reader) error {
	name := path.Clean(h.Name)
	if name == "." {
		return nil
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return errors.Join(root.MkdirAll(name, 0o755), root.Chmod(name, 0o755))
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		return writeFile(root, name, os.FileMode(h.Mode)&0o755|0o444, r)
	default:
		return nil // extended headers and the like carry no file
	}
}

func writeFile(root *os.Root, name string, mode os.FileMode, r io.Reader) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Chmod(mode), file.Close()) // whatever the umask: another user runs it
}
