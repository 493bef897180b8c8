package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A debianServer is a database server that another release of Debian has. It is unpacked
// beside this system and runs with its own libraries:
//
//	<cache>/<folder>/apt/    that release's lists, apart from this system's
//	<cache>/<folder>/debs/   the package, with what it depends on down to libc
//	<cache>/<folder>/root/   unpacked; its programs are scripts that call its own loader
type debianServer struct {
	folder       string
	release, pkg string
	daemon       string   // below root
	more         []string // packages that come along, with what they depend on
	alone        []string // and those without that
	options      string   // of the loader, behind a space
	ready        func(root string) error
}

// debianServers are what Debian's archive has; it has no MySQL 8: see mavenServers.
func debianServers() []debianServer {
	return []debianServer{
		{folder: "trixie-mariadb", release: "trixie", pkg: "mariadb-server-core", daemon: "usr/sbin/mariadbd", alone: []string{"mariadb-server"}}, // which has auth_ed25519
		{folder: "sid", release: "sid", pkg: "mysql-server-core", daemon: "usr/sbin/mysqld"},
	}
}

const namedServers = "EVERT_MYSQLS=/path/to/bin/mysqld:/path/to/bin/mariadbd make test-mysql"

// serverCache is where servers of one origin lie. It can be entered by the user that
// servers run as when we are root.
func serverCache(origin string) (string, error) {
	if os.Geteuid() == 0 {
		return filepath.Join("/var/cache/evert", origin), nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "evert", origin), err
}

// fetch gives the path of the daemon, from the cache if it is there. A server is whole
// when its daemon has been made a script, which is the last step.
func (s debianServer) fetch(ctx context.Context, r *report) (string, error) {
	cache, err := serverCache("debian")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, s.folder)
	daemon := filepath.Join(dir, "root", s.daemon)
	if _, err := os.Stat(daemon + ".real"); err == nil {
		return daemon, nil
	}
	if !r.has("apt-get") || !r.has("dpkg-deb") {
		return "", cannot{"no apt-get, which brings " + s.pkg, s.instead()}
	}
	for _, step := range []func() error{
		func() error { return s.lists(ctx, r, dir) },
		func() error { return s.download(ctx, r, dir) },
		func() error { return s.unpack(ctx, r, dir) },
		func() error { return s.prepare(filepath.Join(dir, "root")) },
		func() error { return behindLoader(filepath.Join(dir, "root"), daemon, s.options) },
	} {
		if err := step(); err != nil {
			return "", fmt.Errorf("%s of Debian %s: %w", s.pkg, s.release, err)
		}
	}
	return daemon, nil
}

// instead is how to bring a server of one's own.
func (s debianServer) instead() string {
	if s.pkg == extended.pkg {
		return namedPostgres
	}
	return namedServers
}

func (s debianServer) prepare(root string) error {
	if s.ready == nil {
		return nil
	}
	return s.ready(root)
}

// apt are the options by which apt keeps to dir and knows no installed package.
func (s debianServer) apt(dir string, args ...string) []string {
	apt := filepath.Join(dir, "apt")
	return append([]string{
		"-o", "Dir::Etc::sourcelist=" + filepath.Join(apt, "sources.list"), "-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::State::lists=" + filepath.Join(apt, "lists"), "-o", "Dir::Cache=" + filepath.Join(apt, "cache"),
		"-o", "Dir::State::status=/dev/null", "-o", "APT::Sandbox::User=",
	}, args...)
}

// debianKeys are installed with every Debian.
const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg"

// archive is Debian's, as this system is set up with it.
func (s debianServer) archive(ctx context.Context, r *report) (string, error) {
	out, err := r.prepareCmd(ctx, nil, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return "", fmt.Errorf("apt-get indextargets: %w", err)
	}
	for uri := range strings.FieldsSeq(string(out)) {
		if strings.HasSuffix(uri, "/debian/") {
			return uri, nil
		}
	}
	return "", cannot{"this system has no archive of Debian", s.instead()}
}

// lists are read from that archive, of the server's release.
func (s debianServer) lists(ctx context.Context, r *report, dir string) error {
	from, err := s.archive(ctx, r)
	if err != nil {
		return err
	}
	for _, name := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, "apt", name), 0o755); err != nil {
			return err
		}
	}
	text := "deb [signed-by=" + debianKeys + "] " + from + " " + s.release + " main\n"
	if err := os.WriteFile(filepath.Join(dir, "apt", "sources.list"), []byte(text), 0o644); err != nil {
		return err
	}
	_, err = r.step(ctx, "apt-get update, Debian "+s.release, nil, "apt-get", s.apt(dir, "update")...)
	return err
}

// download brings the package and everything that it depends on.
func (s debianServer) download(ctx context.Context, r *report, dir string) error {
	args := s.apt(dir, "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", s.pkg)
	args = append(args, s.more...)
	out, err := r.prepareCmd(ctx, nil, "apt-cache", args...).Output()
	if err != nil {
		return fmt.Errorf("apt-cache depends: %w", err)
	}
	wanted := append([]string{"download"}, s.alone...)
	for line := range strings.Lines(string(out)) {
		if strings.TrimLeft(line, " |<") == line { // those that are named in brackets or after spaces come again by themselves
			wanted = append(wanted, strings.TrimSpace(line))
		}
	}
	debs := filepath.Join(dir, "debs")
	if err := errors.Join(os.RemoveAll(debs), os.MkdirAll(debs, 0o755)); err != nil {
		return err
	}
	cmd := r.prepareCmd(ctx, nil, "apt-get", s.apt(dir, wanted...)...)
	cmd.Dir = debs
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download: %w\n%s", err, said)
	}
	return nil
}

func (s debianServer) unpack(ctx context.Context, r *report, dir string) error {
	debs, err := filepath.Glob(filepath.Join(dir, "debs", "*.deb"))
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "root")
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	for _, deb := range debs {
		if said, err := r.prepareCmd(ctx, nil, "dpkg-deb", "-x", deb, root).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg-deb -x %s: %w\n%s", deb, err, said)
		}
	}
	return os.RemoveAll(filepath.Join(dir, "debs"))
}

// behindLoader puts scripts in the places of the programs, which run them by the loader
// and the libraries that were unpacked with them. my_print_defaults, which reads the
// files of settings of this system, has nothing to say.
func behindLoader(root, daemon, options string) error {
	loaders, err := filepath.Glob(filepath.Join(root, "usr/lib/*/ld-linux*.so.*"))
	if err != nil || len(loaders) == 0 {
		return errors.Join(err, errors.New("no loader was unpacked"))
	}
	lib := filepath.Dir(loaders[0])
	run := fmt.Sprintf("#!/bin/sh\nexec %s%s --library-path %s:%s/mysql/private %s.real \"$@\"\n", loaders[0], options, lib, lib, daemon)
	nothing := filepath.Join(root, "usr/bin/my_print_defaults")
	if err := errors.Join(os.Remove(nothing), os.WriteFile(nothing, []byte("#!/bin/sh\n"), 0o755)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	script := daemon + ".script"
	if err := os.WriteFile(script, []byte(run), 0o755); err != nil {
		return err
	}
	if err := os.Rename(daemon, daemon+".real"); err != nil {
		return err
	}
	return os.Rename(script, daemon)
}
