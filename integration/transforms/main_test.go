//go:build unix

package transforms

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var (
	suite harness.Suite
	pg    pgtest.Shared
)

func TestMain(m *testing.M) {
	code := pg.Run(m)
	suite.Close()
	os.Exit(code)
}

// everything gives the bytes of all records of all topics, by topic: keys, values
// and headers, as the log has them before anything is decoded.
func everything(t *testing.T, w *harness.World) map[string]string {
	t.Helper()
	l, closeLog, err := w.OpenLog()
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog()
	ctx := context.Background()
	infos, err := l.Admin().Topics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	from, to := log.Offsets{}, log.Offsets{}
	for _, info := range infos {
		for p, ends := range info.Ends {
			if tp := (log.TopicPartition{Topic: info.Name, Partition: int32(p)}); ends.Stable > ends.Start {
				from[tp], to[tp] = ends.Start, ends.Stable
			}
		}
	}
	if err := r.Assign(from); err != nil {
		t.Fatal(err)
	}
	r.Limit(to)
	text := map[string]*strings.Builder{}
	for {
		f, err := r.Next(ctx, 1000)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b := text[f.Topic]
		if b == nil {
			b = &strings.Builder{}
			text[f.Topic] = b
		}
		for i := range f.Records {
			rec := &f.Records[i]
			b.Write(rec.Key)
			b.WriteByte(0)
			b.Write(rec.Value)
			for _, h := range rec.Headers {
				b.WriteString(h.Key)
				b.Write(h.Value)
			}
		}
	}
	out := map[string]string{}
	for topic, b := range text {
		out[topic] = b.String()
	}
	return out
}

// filesWith lists the files below a folder that hold a text as it is.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && harness.Contains(path, text) {
			found = append(found, path)
		}
		return nil // a file may go while we look
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
