//go:build unix

package jvm

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// A class archive holds the classes of a started server as the virtual machine wants
// them; with it a start takes half the time. It belongs to one build of Java and one
// list of jars, and a machine that does not like it goes on without.

func (d Distribution) archived() bool {
	_, err := os.Stat(d.archive)
	return err == nil
}

// makeArchive starts a server once, which writes the archive when it ends.
func (d Distribution) makeArchive(once func(d Distribution, flags []string) error) error {
	if d.archived() {
		return nil
	}
	beside := fmt.Sprintf("%s.%d", d.archive, os.Getpid())
	defer os.Remove(beside)
	if err := once(d, []string{"-XX:ArchiveClassesAtExit=" + beside, "-Xlog:cds=off", "-Xlog:cds+dynamic=off"}); err != nil {
		return err
	}
	if err := os.Rename(beside, d.archive); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Flags are those of a virtual machine with so much heap, as Java writes sizes: for a
// start that takes little rather than a run that takes little, unless it is to be fast.
func (d Distribution) Flags(heap string, fast bool) []string {
	flags := []string{
		"-Xmx" + heap, "-Xss512k", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError",
		"-Djava.awt.headless=true", "-cp", strings.Join(d.Jars, string(os.PathListSeparator)),
	}
	if !fast {
		flags = append(flags, "-XX:TieredStopAtLevel=1")
	}
	if d.archived() {
		flags = append(flags, "-XX:SharedArchiveFile="+d.archive, "-Xlog:cds=off", "-Xlog:class+path=off")
	}
	return flags
}
