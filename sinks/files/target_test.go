package files_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sinks/files"
	"github.com/evertdb/evert/sinks/sinktest"
)

func at(seq uint64) pipeline.Resume {
	return pipeline.Resume{At: pipeline.Position{Seq: seq, Native: "0/1"}, State: fmt.Append(nil, seq)}
}

// open opens a target over f, and closes it with the test.
func (f *folder) open(t *testing.T) *files.Target {
	t.Helper()
	target := files.New(f.config)
	t.Cleanup(func() { target.Close() })
	if _, err := target.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return target
}

func put(t *testing.T, target *files.Target, seq uint64, changes ...pipeline.Change) {
	t.Helper()
	b := sinktest.Batch(changes...)
	for i := range b.Changes {
		b.Changes[i].Offset = seq*100 + uint64(i)
	}
	if err := target.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := target.Commit(t.Context(), at(seq)); err != nil {
		t.Fatal(err)
	}
}

// awaitFinished returns when n files of a series are finished.
func (f *folder) awaitFinished(t *testing.T, series string, n int) []string {
	t.Helper()
	for {
		finished := []string{}
		for _, name := range f.names(t, series) {
			if !strings.HasSuffix(name, ".open") {
				finished = append(finished, name)
			}
		}
		if len(finished) >= n {
			return finished
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("only %v are finished", finished)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestRotation ends files by size, by time without anybody writing, and where the
// columns change; across a restart the same file goes on.
func TestRotation(t *testing.T) {
	t.Run("time", func(t *testing.T) {
		f := newFolder(t, files.Config{RotateAfter: 10 * time.Millisecond})
		put(t, f.open(t), 1, sinktest.Put(1, "a"))
		names := f.awaitFinished(t, "00000001", 1)
		if names[0] != "0000000001-p0-o100.jsonl" {
			t.Errorf("the file is called %s", names[0])
		}
		if rows := f.Rows(t); rows[1] != "a" {
			t.Errorf("a reader sees %v", rows)
		}
	})
	t.Run("columns", func(t *testing.T) {
		for _, format := range []files.Format{files.JSONL, files.Avro} {
			f := newFolder(t, files.Config{Format: format})
			target := f.open(t)
			put(t, target, 1, sinktest.Put(1, "a"))
			wider := *sinktest.Items
			wider.Version, wider.Columns = 2, append(append([]schema.Column{}, wider.Columns...), schema.Column{Name: "w", Type: schema.Type{Kind: schema.KindInt, Name: "integer", Bits: 32}, Nullable: true})
			c := sinktest.Put(2, "b")
			c.Table, c.After = &wider, append(c.After, schema.Int(7))
			put(t, target, 2, c)
			if names := f.awaitFinished(t, "00000001", 1); len(names) != 1 {
				t.Errorf("%s: finished are %v", format, names)
			}
			if rows := f.Rows(t); rows[1] != "a" || rows[2] != "b" {
				t.Errorf("%s: a reader sees %v", format, rows)
			}
		}
	})
	t.Run("restart", func(t *testing.T) {
		for _, format := range []files.Format{files.JSONL, files.Avro} {
			f := newFolder(t, files.Config{Format: format})
			for seq := range uint64(5) {
				put(t, f.open(t), seq+1, sinktest.Put(int64(seq), "a"))
			}
			if names := f.names(t, "00000001"); len(names) != 1 || len(f.Rows(t)) != 5 {
				t.Errorf("%s: files %v, rows %v", format, names, f.Rows(t))
			}
		}
	})
}

// TestTorn loses what was committed: the target says that it has to begin anew.
func TestTorn(t *testing.T) {
	for name, tear := range map[string]func(file string) error{
		"cut short": func(file string) error { return os.Truncate(file, 3) },
		"gone":      os.Remove,
		"folder gone": func(file string) error {
			return os.RemoveAll(filepath.Dir(file))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t, files.Config{})
			put(t, f.open(t), 1, sinktest.Put(1, "a"))
			if err := tear(filepath.Join(f.config.Path, "00000001", "0000000001-p0-o100.jsonl.open")); err != nil {
				t.Fatal(err)
			}
			_, err := files.New(f.config).Open(t.Context())
			var renewal *deliver.Renewal
			if !errors.As(err, &renewal) {
				t.Fatalf("opens with %v", err)
			}
			again := files.New(f.config)
			if err := again.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
			again.Close()
			filling := f.open(t)
			if err := filling.Write(t.Context(), sinktest.Batch(sinktest.Put(7, "half"))); err != nil {
				t.Fatal(err)
			}
			if err := filling.Commit(t.Context(), pipeline.Resume{State: []byte("half")}); err != nil {
				t.Fatal(err)
			}
			if m := f.manifest(t); m.Seen != "00000001" || m.Filling != "00000002" {
				t.Errorf("while it is filled anew the manifest says %+v", m)
			}
			put(t, filling, 1, sinktest.Gone(7), sinktest.Put(2, "b"))
			if rows := f.Rows(t); len(rows) != 1 || rows[2] != "b" {
				t.Errorf("a reader sees %v", rows)
			}
		})
	}
}

// TestOwner keeps two sinks from one folder.
func TestOwner(t *testing.T) {
	f := newFolder(t, files.Config{})
	put(t, f.open(t), 1, sinktest.Put(1, "a"))
	other := f.config
	other.Owner = "shop/other"
	if _, err := files.New(other).Open(t.Context()); pipeline.CodeOf(err) != files.CodeTaken {
		t.Errorf("opens with %v", err)
	}
	if err := files.New(other).Renew(t.Context()); pipeline.CodeOf(err) != files.CodeTaken {
		t.Errorf("renews with %v", err)
	}
}

// TestRetention removes finished files, and series that are empty then.
func TestRetention(t *testing.T) {
	f := newFolder(t, files.Config{Retention: time.Hour, RotateBytes: 1})
	put(t, f.open(t), 1, sinktest.Put(1, "a"))
	target := files.New(f.config)
	if err := target.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	target.Close()
	put(t, f.open(t), 1, sinktest.Put(2, "b"))
	old := time.Now().Add(-2 * time.Hour)
	for _, file := range []string{"00000001/0000000001-p0-o100.jsonl", "00000002/0000000001-p0-o100.jsonl"} {
		if err := os.Chtimes(filepath.Join(f.config.Path, file), old, old); err != nil {
			t.Fatal(err)
		}
	}
	put(t, f.open(t), 2, sinktest.Put(3, "c"))
	if _, err := os.Stat(filepath.Join(f.config.Path, "00000001")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old series is there: %v", err)
	}
	if rows := f.Rows(t); len(rows) != 1 || rows[3] != "c" {
		t.Errorf("a reader sees %v", rows)
	}
}

// TestHostileNames has names and links that lead elsewhere.
func TestHostileNames(t *testing.T) {
	t.Run("X10 names of topics and columns are no paths", func(t *testing.T) {
		f := newFolder(t, files.Config{})
		f.config.Origins[0].Topic, f.config.Origins[0].From = "../../../etc/passwd", "shop.\"../..\".\"a/b\""
		target := f.open(t)
		table := *sinktest.Items
		table.Name, table.Schema = "../../x", "/abs"
		c := sinktest.Put(1, "../../y")
		c.Table = &table
		put(t, target, 1, c)
		ours := regexp.MustCompile(`^(|lock|manifest\.json|[0-9]{8}(/[0-9]+-p[0-9]+-o[0-9]+\.jsonl(\.open)?)?)$`)
		up := filepath.Dir(f.config.Path)
		err := filepath.WalkDir(up, func(path string, _ fs.DirEntry, err error) error {
			rest := strings.TrimPrefix(strings.TrimPrefix(path, up), "/out")
			if err != nil || !ours.MatchString(strings.TrimPrefix(rest, "/")) {
				t.Errorf("%s: %v", path, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("X10 a link in the folder leads nowhere", func(t *testing.T) {
		f := newFolder(t, files.Config{})
		outside := t.TempDir()
		if err := os.MkdirAll(f.config.Path, 0o700); err != nil {
			t.Fatal(err)
		}
		target := f.open(t)
		if err := os.Remove(filepath.Join(f.config.Path, "00000001")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(f.config.Path, "00000001")); err != nil {
			t.Skip(err)
		}
		if err := target.Write(t.Context(), sinktest.Batch(sinktest.Put(1, "a"))); pipeline.CodeOf(err) != files.CodeAccess {
			t.Errorf("writes with %v", err)
		}
		if entries, _ := os.ReadDir(outside); len(entries) != 0 {
			t.Errorf("outside lie %v", entries)
		}
	})
	t.Run("X10 a manifest that names what lies elsewhere is refused", func(t *testing.T) {
		f := newFolder(t, files.Config{})
		put(t, f.open(t), 1, sinktest.Put(1, "a"))
		manifest := filepath.Join(f.config.Path, "manifest.json")
		b, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		evil := strings.Replace(string(b), "0000000001-p0-o100.jsonl", "../../secret.jsonl", 1)
		if err := os.WriteFile(manifest, []byte(evil), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := files.New(f.config).Open(t.Context()); pipeline.CodeOf(err) != files.CodeManifest {
			t.Errorf("opens with %v", err)
		}
	})
}

// TestRights has rows for their owner alone, whatever the umask.
func TestRights(t *testing.T) {
	t.Run("X21 files are 0600 and folders 0700", func(t *testing.T) {
		f := newFolder(t, files.Config{RotateBytes: 1})
		target := f.open(t)
		put(t, target, 1, sinktest.Put(1, "a"))
		put(t, target, 2, sinktest.Put(2, "b"))
		err := filepath.WalkDir(f.config.Path, func(path string, d fs.DirEntry, err error) error {
			info, _ := d.Info()
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s is %v: %v", path, info.Mode(), err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestRejectedRow goes on without a row that Avro has no form for.
func TestRejectedRow(t *testing.T) {
	f := newFolder(t, files.Config{Format: files.Avro})
	kept := &rejects{}
	f.config.Rejects = kept
	c := sinktest.Put(1, "a")
	c.After[1] = schema.Unknown()
	put(t, f.open(t), 1, c, sinktest.Put(2, "b"))
	if rows := f.Rows(t); len(rows) != 1 || rows[2] != "b" || len(kept.all) != 1 || kept.all[0].Why.Code != files.CodeRow || kept.all[0].Place.Offset != 100 {
		t.Errorf("a reader sees %v, rejected is %v", rows, kept.all)
	}
}

type rejects struct{ all []deliver.Rejection }

func (r *rejects) Reject(_ context.Context, all ...deliver.Rejection) error {
	r.all = append(r.all, all...)
	return nil
}
