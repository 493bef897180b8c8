//go:build unix

package kafkaserver

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
)

// Version is the Apache Kafka that Fetch brings.
const Version = "4.4.0"

// leastJava is the oldest Java that brokers of this version run on.
const leastJava = 17

// A Distribution is a Kafka that can be started: its jars, and a Java.
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
		err = fmt.Errorf("Apache Kafka %s is not in %s", Version, home)
	}
	slices.Sort(jars)
	return Distribution{Version, java, jars, filepath.Join(home, "java-"+release+".jsa")}, err
}

// home is where this version lies once it is whole.
func home() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "evert", "kafka-"+Version), err
}

// Fetch is Find, after bringing what is missing by Maven. Processes that fetch at
// the same time wait for the first.
func Fetch(ctx context.Context) (Distribution, error) {
	d, err := Find()
	if err == nil && d.archived() {
		return d, nil
	}
	if d.Java == "" {
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
			return d, fmt.Errorf("fetch Apache Kafka %s: %w", Version, err)
		}
		if d, err = Find(); err != nil {
			return d, err
		}
	}
	return d, d.makeArchive(ctx)
}

// Command runs a class of the distribution, such as
// org.apache.kafka.tools.TopicCommand, which kafka-topics.sh wraps.
func (d Distribution) Command(ctx context.Context, class string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.Java, slices.Concat(d.flags("256m"), []string{class}, args)...)
	cmd.Env = cleanEnviron()
	return cmd
}

// flags are those of every Java of ours: a start that takes little rather than a
// run that takes little.
func (d Distribution) flags(heap string) []string {
	flags := []string{
		"-Xmx" + heap, "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true", "-cp", strings.Join(d.Jars, string(os.PathListSeparator)),
	}
	if d.archived() {
		flags = append(flags, "-XX:SharedArchiveFile="+d.archive, "-Xlog:cds=off", "-Xlog:class+path=off")
	}
	return flags
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
		return "", "", fmt.Errorf("there is no Java, which Apache Kafka runs on: %w", err)
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
		return "", "", fmt.Errorf("%s is Java %s; Apache Kafka %s needs %d or newer", path, found[1], Version, leastJava)
	}
	return path, string(found[1]), nil
}

// Missing says which programs Find and Fetch lack, by the Debian packages that
// bring them; nil if none.
func Missing() (packages []string) {
	if _, _, err := findJava(); err != nil {
		packages = append(packages, "openjdk-17-jre-headless")
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		if _, found := Find(); found != nil {
			packages = append(packages, "maven")
		}
	}
	return packages
}

// InstallHint is the command that brings what is missing.
func InstallHint() string {
	if packages := Missing(); packages != nil {
		return "sudo apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
	}
	return "let Maven reach a repository (its settings are in ~/.m2/settings.xml)"
}

// errNoMaven is a fetch without the program that fetches.
var errNoMaven = errors.New("there is no mvn in PATH, which fetches Apache Kafka")
