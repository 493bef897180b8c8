//go:build unix

package kafkaserver

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// A class archive holds the classes of a started broker as the virtual machine
// wants them; with it a broker starts in a second and a half instead of four. It
// belongs to one build of Java and one list of jars, and a machine that does not
// like it goes on without.

func (d Distribution) archived() bool {
	_, err := os.Stat(d.archive)
	return err == nil
}

// makeArchive starts a broker once, which writes the archive when it ends.
func (d Distribution) makeArchive(ctx context.Context) error {
	if d.archived() {
		return nil
	}
	beside := fmt.Sprintf("%s.%d", d.archive, os.Getpid())
	defer os.Remove(beside)
	c, err := Start(ctx, d, Options{Java: []string{"-XX:ArchiveClassesAtExit=" + beside, "-Xlog:cds=off", "-Xlog:cds+dynamic=off"}})
	if err != nil {
		return err
	}
	if err := errors.Join(c.Node(1).Stop(), c.Close()); err != nil {
		return err
	}
	if err := os.Rename(beside, d.archive); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
