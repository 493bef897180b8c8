package intake

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline/log/embedded"
)

// TestFollowAgain tells that a follower which is run again says nothing that it
// knew before: the frontier may be another one by now.
func TestFollowAgain(t *testing.T) {
	l, err := embedded.Open(embedded.Config{Dir: "log", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &Follower{Log: l, Of: "source shop", Topic: "frontier", Known: func() bool { return true }}
	f.now, f.err = Report{Known: true}, errors.New("it failed")
	ctx, stop := context.WithCancel(t.Context())
	var said []Report
	f.Moved = func() {
		r, err := f.Report()
		if said = append(said, r); err != nil {
			t.Errorf("it ends with %v", err)
		}
		if len(said) == 2 {
			stop()
		}
	}
	f.Run(ctx)
	if len(said) < 2 || said[0].Known || said[1].Held == nil || !strings.Contains(said[1].Held.What, "the frontier of source shop is gone") {
		t.Errorf("it says %+v", said)
	}
}
