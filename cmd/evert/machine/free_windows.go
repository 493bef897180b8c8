package machine

import "golang.org/x/sys/windows"

// free gives the bytes that we may still write on the disk of a folder.
func free(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var left uint64
	if err := windows.GetDiskFreeSpaceEx(path, &left, nil, nil); err != nil {
		return 0, err
	}
	return int64(left), nil
}
