package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// An account is whom the server runs as; nil stands for ourselves.
type account struct {
	name     string
	uid, gid uint32
}

// defaultCacheDir is the user's cache; for root one that other users can enter,
// because the server cannot run as root.
func defaultCacheDir() (string, error) {
	if os.Geteuid() == 0 {
		if runtime.GOOS == "darwin" {
			return "/Library/Caches/evert", nil
		}
		return "/var/cache/evert", nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "evert"), err
}

// tempDir makes a fresh directory that a may enter, owned by a. It stays away
// from a private TMPDIR when a is somebody else.
func tempDir(a *account) (string, error) {
	var closed error
	for _, base := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if closed = reachable(base, a); closed != nil {
			continue
		}
		dir, err := os.MkdirTemp(base, "evert-pg-")
		if err != nil {
			return "", err
		}
		return dir, give(dir, a)
	}
	return "", fmt.Errorf("no temporary directory that user %s can enter: %w", a.name, closed)
}
