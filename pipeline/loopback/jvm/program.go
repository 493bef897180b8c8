//go:build unix

package jvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A Program is a server that Maven brings.
type Program struct {
	Name         string // Apache Kafka
	Folder       string // kafka, in the cache
	Version      string
	LeastJava    int    // the oldest that it runs on
	Dependencies string // the elements <dependency> of its pom
}

// A Distribution is a program that can be started: its jars, and a Java.
type Distribution struct {
	Version string
	Java    string   // path of the program
	Jars    []string // sorted, as a class archive needs it
	Home    string   // folder of all this; it may hold more that is kept
	archive string   // classes laid out beforehand, for a quick start; may be missing
}

// Find gives what an earlier Fetch left in the user's cache.
func (p Program) Find() (Distribution, error) {
	java, release, err := p.java()
	if err != nil {
		return Distribution{}, err
	}
	home, err := p.home()
	if err != nil {
		return Distribution{}, err
	}
	jars, err := filepath.Glob(filepath.Join(home, "lib", "*.jar"))
	if err == nil && len(jars) == 0 {
		err = fmt.Errorf("%s %s is not in %s", p.Name, p.Version, home)
	}
	slices.Sort(jars)
	return Distribution{p.Version, java, jars, home, filepath.Join(home, "java-"+release+".jsa")}, err
}

// home is where this version lies once it is whole.
func (p Program) home() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "evert", p.Folder+"-"+p.Version), err
}

// Fetch is Find, after bringing what is missing. Processes that fetch at the same time
// wait for the first. once starts a server with those flags of Java, and ends it in order;
// then its classes are in the archive.
func (p Program) Fetch(ctx context.Context, once func(d Distribution, flags []string) error) (Distribution, error) {
	d, err := p.Find()
	if err == nil && d.archived() || d.Java == "" {
		return d, err
	}
	unlock, err := lock(d.Home + ".lock")
	if err != nil {
		return d, err
	}
	defer unlock()
	if d, err = p.Find(); err != nil {
		if err := p.resolve(ctx, d.Home); err != nil {
			return d, fmt.Errorf("fetch %s %s: %w", p.Name, p.Version, err)
		}
		if d, err = p.Find(); err != nil {
			return d, err
		}
	}
	return d, d.makeArchive(once)
}

// lock waits until no other process holds the file locked. The file stays: who removed
// it would let two in.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil
}

var javaRelease = regexp.MustCompile(`version "((\d+)[^"]*)"`)

// java takes JAVA_HOME's, else the one in PATH.
func (p Program) java() (path, release string, err error) {
	name := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	path, err = exec.LookPath(name)
	if err != nil {
		return "", "", fmt.Errorf("there is no Java, which %s runs on: %w", p.Name, err)
	}
	text, err := exec.Command(path, "-version").CombinedOutput()
	if err != nil {
		return "", "", fmt.Errorf("%s -version: %w", path, err)
	}
	found := javaRelease.FindSubmatch(text)
	if found == nil {
		return "", "", fmt.Errorf("%s does not tell its version", path)
	}
	if major, _ := strconv.Atoi(string(found[2])); major < p.LeastJava {
		return "", "", fmt.Errorf("%s is Java %s; %s %s needs %d or newer", path, found[1], p.Name, p.Version, p.LeastJava)
	}
	return path, string(found[1]), nil
}

// Missing says which programs Find and Fetch lack, by the Debian packages that bring
// them; nil if none.
func (p Program) Missing() (packages []string) {
	if _, _, err := p.java(); err != nil {
		packages = append(packages, "openjdk-17-jre-headless")
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		if _, found := p.Find(); found != nil {
			packages = append(packages, "maven")
		}
	}
	return packages
}

// InstallHint is the command that brings what is missing.
func (p Program) InstallHint() string {
	if packages := p.Missing(); packages != nil {
		return "sudo apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
	}
	return "let Maven reach a repository (its settings are in ~/.m2/settings.xml)"
}

// Environ is our environment without what would change a Java's ways, and without the
// variables that begin with prefix.
func Environ(prefix string) []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, prefix) || strings.HasPrefix(kv, "JAVA_TOOL_OPTIONS=") || strings.HasPrefix(kv, "JDK_JAVA_OPTIONS=")
	})
}
