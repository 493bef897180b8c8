// Package promtool finds Prometheus's own tool, which checks rules and evaluates
// them as Prometheus does: in PATH, or out of Debian's package prometheus in the
// user's cache, where nothing is installed and no service is started.
package promtool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/evertdb/evert/integration/debfile"
)

// Hint is how a person gets it.
const Hint = "sudo apt-get install -y --no-install-recommends prometheus"

// ErrNotFound says that there is none.
var ErrNotFound = errors.New("no promtool")

// Find gives its path.
func Find() (string, error) {
	if path, err := exec.LookPath("promtool"); err == nil {
		return path, nil
	}
	dir, err := cache()
	if err != nil {
		return "", err
	}
	path := inside(dir)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w in PATH or %s", ErrNotFound, dir)
	}
	return path, nil
}

func cache() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "evert", "prometheus"), err
}

func inside(dir string) string { return filepath.Join(dir, "usr", "bin", "promtool") }

// Fetch unpacks Debian's package into the cache, and gives the path. It needs
// apt-get and dpkg-deb, and no rights.
func Fetch(ctx context.Context) (string, error) {
	dir, err := cache()
	if err != nil {
		return "", err
	}
	if err := debfile.Unpack(ctx, "prometheus", dir); err != nil {
		return "", err
	}
	return Find()
}
