//go:build unix

package kafka

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

// K19 K20 a broker acknowledges what its disk does not have yet. One that loses
// that in a power cut, and leads again, has a shorter log: whoever had read
// further is told, instead of waiting for ever or reading other records under
// the offsets it knows. Here the whole partition is lost.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	c := kafkatest.Start(t, kafkaserver.Options{})
	l := open(t, realConfig(c, "power"))
	tp := part0(topic(t, l, "lost", 1).Name)
	w := writer(t, l, "w")
	put(t, w, rec(tp, "a", "1"))
	put(t, w, rec(tp, "b", "2"))
	visible(t, l, tp, "a=1 b=2")
	before := ends(t, l, tp)
	w.Close()

	c.Node(1).Kill()
	files, err := filepath.Glob(filepath.Join(c.Node(1).Data(), "lost-0", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the partition has no files: %v", err)
	}
	for _, f := range files {
		if filepath.Base(f) != "partition.metadata" { // which topic it is
			err = errors.Join(err, os.Remove(f))
		}
	}
	if err = errors.Join(err, c.Node(1).Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the partition to be led again", func() bool {
		infos, err := l.Admin().Topics(t.Context(), tp.Topic)
		return err == nil && len(infos) == 1 && infos[0].Ends[0].Stable < before.Stable
	})
	r := reader(t, l, log.Offsets{tp: before.Stable})
	if err := until(t, r); pipeline.CodeOf(err) != codeTruncated {
		t.Fatalf("a reader behind the new end got %v", err)
	}
}

// K29 a new version of the client is looked at before it is used: that the suite
// passes on Apache Kafka and under the race detector, what its changelog says of
// transactions, and whether learned is needed still.
func TestClientIsTheOneThatWasChecked(t *testing.T) {
	const checked = "github.com/twmb/franz-go v1.22.2\n"
	text, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), checked) {
		t.Errorf("go.mod has another client than %q: run EVERT_FULL=1 go test -race -count=5 ./pipeline/log/kafka, read storePartitionsUpdate and its changelog, then name it here", strings.TrimSpace(checked))
	}
}
