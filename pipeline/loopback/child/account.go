package child

import (
	"fmt"
	"os"
)

// An Account is whom a program runs as; nil stands for ourselves.
type Account struct {
	name     string
	uid, gid uint32
}

// TempDir makes a fresh directory that a may enter, owned by a. It stays away from a
// private TMPDIR when a is somebody else. The caller removes it.
func (a *Account) TempDir(pattern string) (string, error) {
	var closed error
	for _, base := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if closed = a.Reaches(base); closed != nil {
			continue
		}
		dir, err := os.MkdirTemp(base, pattern)
		if err != nil {
			return "", err
		}
		return dir, a.Give(dir)
	}
	return "", fmt.Errorf("no temporary directory that user %s can enter: %w", a.name, closed)
}
