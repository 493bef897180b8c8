// Package debfile unpacks one package of Debian's beside the system: nothing is
// installed, no service is started, and no rights are needed.
package debfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Unpack brings what the package holds into dir, which is made. It needs apt-get,
// with its lists, and dpkg-deb.
func Unpack(ctx context.Context, name, dir string) error {
	temp, err := os.MkdirTemp("", "evert-deb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := run(ctx, temp, "apt-get", "download", name); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(temp, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download %s left %d packages", name, len(debs))
	}
	return errors.Join(os.MkdirAll(dir, 0o755), run(ctx, temp, "dpkg-deb", "-x", debs[0], dir))
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}
