//go:build unix

package datadir

import "golang.org/x/sys/unix"

// Disk gives the bytes that we may still write on the disk that holds a
// directory, and its size.
func Disk(dir string) (free, size int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil
}
