package embedded_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

func open(t *testing.T, cfg embedded.Config) *embedded.Log {
	t.Helper()
	l, err := embedded.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func put(t *testing.T, l *embedded.Log, value string) {
	t.Helper()
	ctx := context.Background()
	if _, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: "t", Compact: true}); err != nil {
		t.Fatal(err)
	}
	w, err := l.Writer(ctx, "w")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Append(ctx, log.Record{TopicPartition: log.TopicPartition{Topic: "t"}, Key: []byte("k"), Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx, nil); err != nil {
		t.Fatal(err)
	}
}

// values reads all there is in topic t.
func values(t *testing.T, l *embedded.Log) string {
	t.Helper()
	ctx := context.Background()
	infos, err := l.Admin().Topics(ctx, "t")
	if err != nil || len(infos) != 1 {
		t.Fatal(infos, err)
	}
	r, err := l.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tp := log.TopicPartition{Topic: "t"}
	if err := r.Assign(log.Offsets{tp: 0}); err != nil {
		t.Fatal(err)
	}
	r.Limit(log.Offsets{tp: infos[0].Ends[0].Stable})
	var all []string
	for {
		f, err := r.Next(ctx, 100)
		if err == io.EOF {
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range f.Records {
			all = append(all, string(rec.Value))
		}
	}
}

func wantCode(t *testing.T, err error, code pipeline.Code) {
	t.Helper()
	if pipeline.CodeOf(err) != code {
		t.Fatalf("got %v, want %s", err, code)
	}
}

func TestDirectory(t *testing.T) {
	t.Run("O04 a second holder is refused and told who the first is", func(t *testing.T) {
		cfg := embedded.Config{Dir: t.TempDir()}
		first := open(t, cfg)
		_, err := embedded.Open(cfg)
		wantCode(t, err, embedded.RefuseTaken)
		if !strings.Contains(err.Error(), "process ") {
			t.Errorf("it does not say which process: %v", err)
		}
		cfg.ReadOnly = true
		_, err = embedded.Open(cfg)
		wantCode(t, err, embedded.RefuseTaken)
		cfg.ReadOnly, cfg.LockWait = false, time.Minute
		opened := make(chan *embedded.Log)
		go func() {
			l, err := embedded.Open(cfg)
			if err != nil {
				t.Error(err)
			}
			opened <- l
		}()
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if l := <-opened; l != nil {
			l.Close()
		}
	})
	t.Run("O11 a newer format is refused", func(t *testing.T) {
		fs := vfs.NewMem()
		cfg := embedded.Config{Dir: "log", FS: fs}
		l := open(t, cfg)
		l.Close()
		write(t, fs, "log/EVERT", `{"kind":"log","format":999}`)
		_, err := embedded.Open(cfg)
		wantCode(t, err, embedded.RefuseNewer)
		write(t, fs, "log/EVERT", `something else`)
		_, err = embedded.Open(cfg)
		wantCode(t, err, embedded.RefuseForeign)
		if err := fs.Remove("log/EVERT"); err != nil {
			t.Fatal(err)
		}
		_, err = embedded.Open(cfg)
		wantCode(t, err, embedded.RefuseForeign)
	})
	t.Run("reading only changes nothing", func(t *testing.T) {
		cfg := embedded.Config{Dir: t.TempDir(), ReadOnly: true}
		_, err := embedded.Open(cfg)
		wantCode(t, err, embedded.RefuseMissing)
		cfg.ReadOnly = false
		l := open(t, cfg)
		put(t, l, "1")
		l.Close()
		cfg.ReadOnly = true
		for range 2 {
			l = open(t, cfg)
			if got := values(t, l); got != "1" {
				t.Fatalf("got %q", got)
			}
			if _, err := l.Writer(context.Background(), "w"); err == nil {
				t.Error("it gave a writer")
			}
			if _, err := l.Admin().Ensure(context.Background(), log.TopicSpec{Name: "u"}); err == nil {
				t.Error("it made a topic")
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a closed log says so and closes again", func(t *testing.T) {
		l := open(t, embedded.Config{Dir: "log", FS: vfs.NewMem()})
		put(t, l, "1")
		for range 2 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.Writer(context.Background(), "w"); err != log.ErrClosed {
			t.Errorf("Writer: %v", err)
		}
		if _, err := l.Admin().Topics(context.Background()); err != log.ErrClosed {
			t.Errorf("Topics: %v", err)
		}
	})
}

func write(t *testing.T, fs vfs.FS, name, text string) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
