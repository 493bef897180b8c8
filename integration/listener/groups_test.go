//go:build unix

package listener

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestGroupsAreRefused subscribes as a consumer group, which the embedded log has
// none of: the client says so at once, instead of waiting for a coordinator.
func TestGroupsAreRefused(t *testing.T) {
	path, err := exec.LookPath("kcat")
	if err != nil {
		absent(t, "no kcat", "sudo apt-get install -y --no-install-recommends kcat")
	}
	b := open(t)
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "-b", b.address, "-G", "group", topic)
	said, err := cmd.StderrPipe()
	b.must(err)
	b.must(cmd.Start())
	defer func() { cancel(); _ = cmd.Wait() }()
	var all []string
	for lines := bufio.NewScanner(said); lines.Scan(); {
		all = append(all, lines.Text())
		if strings.Contains(lines.Text(), "no consumer groups") || strings.Contains(lines.Text(), "Group authorization failed") {
			return
		}
	}
	t.Errorf("kcat did not say that there are no groups:\n%s", strings.Join(all, "\n"))
}
