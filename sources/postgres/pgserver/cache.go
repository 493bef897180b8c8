package pgserver

import (
	"os"
	"path/filepath"
	"runtime"
)

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
