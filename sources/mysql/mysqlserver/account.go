package mysqlserver

import (
	"fmt"
	"os"
)

// An account is whom the server runs as; nil stands for ourselves.
type account struct {
	name     string
	uid, gid uint32
}

// tempDir makes a fresh directory that a may enter, owned by a. It stays away from
// a private TMPDIR when a is somebody else.
func tempDir(a *account) (string, error) {
	var closed error
	for _, base := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if closed = reachable(base, a); closed != nil {
			continue
		}
		dir, err := os.MkdirTemp(base, "evert-my-")
		if err != nil {
			return "", err
		}
		return dir, give(dir, a)
	}
	return "", fmt.Errorf("no temporary directory that user %s can enter: %w", a.name, closed)
}
