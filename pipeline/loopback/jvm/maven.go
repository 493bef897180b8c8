//go:build unix

package jvm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/evertdb/evert/pipeline/loopback/child"
)

// fetchTimeout bounds Maven's work: some 50 MB, and what Maven itself needs at first.
const fetchTimeout = 5 * time.Minute

// pom is filled with a program's folder and dependencies.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>evert</groupId><artifactId>%s-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>%s</dependencies>
</project>
`

const copyDependencies = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies"

// resolve lets Maven copy the jars beside home and moves them there when whole, so that
// home is either absent or complete.
func (p Program) resolve(ctx context.Context, home string) error {
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("there is no mvn in PATH, which fetches it")
	}
	work, err := os.MkdirTemp(filepath.Dir(home), ".fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), fmt.Appendf(nil, pom, p.Folder, p.Dependencies), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	cmd := exec.Command("mvn", "--batch-mode", "--quiet", "--strict-checksums",
		copyDependencies, "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(work, "lib"))
	cmd.Dir = work
	if _, err := child.Run(ctx, cmd, nil); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(home), os.Rename(work, home))
}
