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
}

// MariaDB reports whether these are MariaDB's.
func (b Binaries) MariaDB() bool { return b.InstallDB != "" }

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
	b := Binaries{Daemon: daemon, InstallDB: install}
	b.Version, err = version(daemon)
	return b, err
}

// MySQL gives the binaries of a MySQL whose daemon is given; it may be a script
// that calls the daemon.
func MySQL(daemon string) (Binaries, error) {
	v, err := version(daemon)
	return Binaries{Daemon: daemon, Version: v}, err
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

func version(daemon string) (string, error) {
	out, err := exec.Command(daemon, "--no-defaults", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", daemon, err)
	}
	m := regexp.MustCompile(`Ver ([0-9.]+)`).FindStringSubmatch(string(out))
	if m == nil {
		return "", fmt.Errorf("%s says no version: %s", daemon, strings.TrimSpace(string(out)))
	}
	return m[1], nil
}
