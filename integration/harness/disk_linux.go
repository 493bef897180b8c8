package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// SmallDisk mounts a tmpfs of so many bytes until the test ends, and gives a
// directory on it. Without the right to mount, the test is skipped.
func SmallDisk(t testing.TB, dir string, bytes int) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("evert-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		t.Skipf("SKIPPED: a small disk needs the right to mount one: %v\n  mend: run the tests as root, in a container with --cap-add SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return filepath.Join(dir, "data")
}

// Fill writes a file beside dir until only so many bytes are free on their disk,
// and gives its path; 0 leaves next to nothing.
func Fill(t testing.TB, dir string, leave int64) (ballast string) {
	t.Helper()
	ballast = filepath.Join(filepath.Dir(dir), fmt.Sprint("ballast-", leave))
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for err == nil && free(t, dir) > leave {
		_, err = f.Write(block)
	}
	return ballast
}

func free(t testing.TB, dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(dir), &s); err != nil {
		t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}
