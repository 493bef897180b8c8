//go:build unix

package kafka

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// X20 a row that is deleted is in no segment of the broker once the bound of the lag
// has passed and something more was written, however little of the topic is dirty.
func TestErasure(t *testing.T) {
	t.Parallel()
	c := one.Cluster(t)
	l := open(t, realConfig(c, "erasure"))
	spec := log.TopicSpec{Name: "erasure", Compact: true, MinLag: time.Millisecond, Settings: map[string]string{maxLag: "1000", dirtyRatio: "1"}}
	if _, err := l.Admin().Ensure(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	w, err := l.Writer(t.Context(), "erasure")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	put := func(key string, value []byte) {
		t.Helper()
		r := log.Record{TopicPartition: log.TopicPartition{Topic: spec.Name}, Key: []byte(key), Value: value}
		if err := w.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	const word = "3f9a-erased-at-the-source-77c1"
	put("erased", []byte(word))
	segments := filepath.Join(c.Node(1).Data(), "erasure-0", "*.log")
	eventually(t, "the row", func() bool { return lies(t, segments, word) })
	put("erased", nil)
	eventually(t, "X20 the cleaner, by the bound of the lag alone", func() bool {
		put("more", nil) // a segment ends with a record that comes behind the bound
		return !lies(t, segments, word)
	})
}

// lies reports whether a word is in one of the files. One that the broker has just
// replaced is looked at in its new form next time.
func lies(t *testing.T, files, word string) bool {
	t.Helper()
	names, err := filepath.Glob(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if text, err := os.ReadFile(name); err != nil || bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return len(names) == 0
}

// X20 a compacted topic has the bound without being asked.
func TestMaxLag(t *testing.T) {
	l := open(t, config(cluster(t)))
	for want, spec := range map[string]log.TopicSpec{
		"604800000":  {Name: "t", Compact: true},
		"2592000000": {Name: "u", Compact: true, MinLag: 30 * 24 * time.Hour},
		"1000":       {Name: "v", Compact: true, Settings: map[string]string{maxLag: "1000"}},
		"":           {Name: "w"},
	} {
		if _, err := l.Admin().Ensure(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		infos, err := l.Admin().Topics(t.Context(), spec.Name)
		if err != nil || len(infos) != 1 {
			t.Fatal(infos, err)
		}
		same(t, infos[0].Settings[maxLag], want)
	}
}
