//go:build windows

package datadir

import "golang.org/x/sys/windows"

// Disk gives the bytes that we may still write on the disk that holds a
// directory, and its size.
func Disk(dir string) (free, size int64, err error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var avail, total, all uint64
	err = windows.GetDiskFreeSpaceEx(name, &avail, &total, &all)
	return int64(avail), int64(total), err
}
