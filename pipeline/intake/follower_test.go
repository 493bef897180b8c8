package intake

import (
	"errors"
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
	var said []Report
	f.Moved = func() {
		r, _ := f.Report()
		said = append(said, r)
	}
	f.Run(t.Context())
	for i, r := range said {
		if r.Known {
			t.Errorf("report %d is of the earlier run", i)
		}
	}
	var gone *Gone
	if _, err := f.Report(); !errors.As(err, &gone) || len(said) != 2 {
		t.Errorf("it ended with %v, and %d reports", err, len(said))
	}
}
