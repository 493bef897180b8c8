package mysqlserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// InstallHint is the command that installs what Find looks for.
const InstallHint = "sudo apt-get install -y --no-install-recommends mariadb-server-core mariadb-client-core"

// Packages are the Debian packages that hold the programs; they start no service.
func Packages() []string { return []string{"mariadb-server-core", "mariadb-client-core"} }

// Binaries are the programs of one server.
type Binaries struct {
	Daemon    string // mariadbd or mysqld, an absolute path
	InstallDB string // mariadb-install-db; empty for MySQL, whose daemon does it
	Version   string // 10.11.19
	BaseDir   string // of one that lies elsewhere than it was built for; else empty
	mariaDB   bool
}

// MariaDB reports whether these are MariaDB's.
func (b Binaries) MariaDB() bool { return b.mariaDB }

// base are the arguments by which a server finds its own files.
func (b Binaries) base() []string {
	if b.BaseDir == "" {
		return nil
	}
	return []string{"--basedir=" + b.BaseDir}
}

// places are where distributions put the daemon besides the PATH.
func places() []string {
	return []string{"/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/usr/local/opt/mariadb/bin"}
}

// Find looks for an installed MariaDB.
func Find() (Binaries, error) {
	daemon, err := find("mariadbd")
	if err != nil {
		return Binaries{}, err
	}
	install, err := find("mariadb-install-db")
	if err != nil {
		return Binaries{}, err
	}
	b, err := named(daemon)
	b.InstallDB = install
	return b, err
}

// At gives the binaries of the server whose daemon is given: a MySQL or a MariaDB that
// is installed, or that a tarball or packages were unpacked to. The daemon may be a
// script that calls it.
func At(daemon string) (Binaries, error) {
	b, err := named(daemon)
	if err != nil {
		return Binaries{}, err
	}
	base := filepath.Dir(filepath.Dir(daemon))
	if info, err := os.Stat(filepath.Join(base, "share")); err == nil && info.IsDir() {
		b.BaseDir = base
	}
	if !b.MariaDB() {
		return b, nil
	}
	for _, dir := range []string{"bin", "scripts"} {
		path := filepath.Join(base, dir, "mariadb-install-db")
		if _, err := os.Stat(path); err == nil {
			b.InstallDB = path
			return b, nil
		}
	}
	return b, fmt.Errorf("no mariadb-install-db in bin or scripts of %s", base)
}

func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range places() {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", errors.New("no " + name + " on this machine")
}

// named tells which server a daemon is of.
func named(daemon string) (Binaries, error) {
	out, err := exec.Command(daemon, "--no-defaults", "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("%s --version: %w", daemon, err)
	}
	m := regexp.MustCompile(`Ver ([0-9.]+)(-MariaDB)?`).FindStringSubmatch(string(out))
	if m == nil {
		return Binaries{}, fmt.Errorf("%s says no version: %s", daemon, strings.TrimSpace(string(out)))
	}
	return Binaries{Daemon: daemon, Version: m[1], mariaDB: m[2] != ""}, nil
}
