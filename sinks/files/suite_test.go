package files_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hamba/avro/v2/ocf"

	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/sinks/files"
	"github.com/evertdb/evert/sinks/sinktest"
)

// TestTarget runs the suite over both formats, with files of ordinary and of tiny
// size.
func TestTarget(t *testing.T) {
	for _, c := range []files.Config{{}, {RotateBytes: 300, Block: 64}, {Format: files.Avro}, {Format: files.Avro, Compression: "zstandard", RotateBytes: 3000, Block: 1000}} {
		t.Run(fmt.Sprintf("%s rotate %d", c.Format, c.RotateBytes), func(t *testing.T) {
			sinktest.RunTarget(t, func(t *testing.T) sinktest.TargetHarness {
				f := newFolder(t, c)
				return sinktest.TargetHarness{New: f.New, Rows: f.Rows, Powers: sinktest.Powers{Atomic: true, Fences: true, Versions: true, Beside: true}}
			})
		})
	}
}

// TestSeveral runs the clauses of several tables in one sink: each has files of its own
// in one folder, under one manifest.
func TestSeveral(t *testing.T) {
	for _, c := range []files.Config{{}, {RotateBytes: 300, Block: 64}} {
		t.Run(fmt.Sprintf("rotate %d", c.RotateBytes), func(t *testing.T) {
			sinktest.RunSeveral(t, func(t *testing.T) sinktest.SeveralHarness {
				c.Origins = []event.Origin{{Topic: "app.public.items", From: "app.public.items", Source: "app"}, {Topic: "app.public.others", From: "app.public.others", Source: "app"}}
				f := newFolder(t, c)
				return sinktest.SeveralHarness{New: f.New, Rows: f.both, Powers: sinktest.Powers{Atomic: true, Fences: true, Beside: true}}
			})
		})
	}
}

// both does what the changes say to the rows of their table. No file holds both.
func (f *folder) both(t testing.TB) (items, others map[int64]string) {
	items, others = map[int64]string{}, map[int64]string{}
	for _, b := range f.contents(t) {
		f.each(t, b, func(event []byte) { sinktest.ApplyEventOf(t, items, others, event) })
		if bytes.Contains(b, []byte(`"app.public.items"`)) && bytes.Contains(b, []byte(`"app.public.others"`)) {
			t.Errorf("a file holds rows of both tables:\n%s", b)
		}
	}
	return items, others
}

// folder is what a sink writes, and a reader that keeps to what the package's page
// lets it read.
type folder struct {
	config files.Config
}

func newFolder(t testing.TB, c files.Config) *folder {
	c.Name, c.Owner, c.Path = "out", "shop/out", filepath.Join(t.TempDir(), "out")
	if c.Origins == nil {
		c.Origins = []event.Origin{{Topic: "app.public.items", From: "app.public.items", Source: "app"}}
	}
	return &folder{c}
}

func (f *folder) New(testing.TB) deliver.Target { return files.New(f.config) }

// committed is the part of a manifest that a reader needs.
type committed struct {
	Seen, Filling string
	Open          *struct {
		Name  string
		Bytes int64
	}
	Beside []*struct {
		Name  string
		Bytes int64
	}
	Finished []struct{ Name string }
}

// open gives how much of a file counts that is written still.
func (m *committed) open(name string) (bytes int64, ok bool) {
	for _, f := range append(m.Beside, m.Open) {
		if f != nil && m.Filling == "" && f.Name == name {
			return f.Bytes, true
		}
	}
	return 0, false
}

func (f *folder) manifest(t testing.TB) (m committed) {
	b, err := os.ReadFile(filepath.Join(f.config.Path, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return m
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// contents gives what a reader may read, file by file.
func (f *folder) contents(t testing.TB) (all [][]byte) {
	m := f.manifest(t)
	if m.Seen == "" {
		return nil
	}
	for _, name := range slices.Sorted(slices.Values(f.names(t, m.Seen))) {
		b, err := os.ReadFile(filepath.Join(f.config.Path, m.Seen, name))
		if err != nil {
			t.Fatal(err)
		}
		plain, opened := strings.CutSuffix(name, ".open")
		if opened {
			n, ok := m.open(plain)
			if !ok {
				continue
			}
			b = b[:n]
		}
		all = append(all, b)
	}
	return all
}

func (f *folder) names(t testing.TB, series string) (names []string) {
	entries, err := os.ReadDir(filepath.Join(f.config.Path, series))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Rows does what the changes say, one after the other.
func (f *folder) Rows(t testing.TB) map[int64]string {
	rows := map[int64]string{}
	for _, b := range f.contents(t) {
		f.each(t, b, func(event []byte) { sinktest.ApplyEvent(t, rows, event) })
	}
	return rows
}

// each gives the changes of a file as events.
func (f *folder) each(t testing.TB, b []byte, fn func(event []byte)) {
	if f.config.Format != files.Avro {
		if len(b) > 0 && b[len(b)-1] != '\n' {
			t.Fatalf("a line is torn: %q", b[max(0, len(b)-50):])
		}
		for line := range bytes.Lines(b) {
			fn(line)
		}
		return
	}
	dec, err := ocf.NewDecoder(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for dec.HasNext() {
		var one map[string]any
		if err := dec.Decode(&one); err != nil {
			t.Fatal(err)
		}
		if row, ok := one["row"].(map[string]any); ok && len(row) == 1 {
			for _, inner := range row { // the union's branch
				one["row"] = unwrapped(inner)
			}
		} else {
			one["row"] = unwrapped(one["row"])
		}
		event, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		fn(event)
	}
	if err := dec.Error(); err != nil {
		t.Fatal(err)
	}
}

// unwrapped takes optional texts out of their unions.
func unwrapped(row any) any {
	fields, ok := row.(map[string]any)
	if !ok {
		return row
	}
	for name, v := range fields {
		if branch, ok := v.(map[string]any); ok {
			fields[name] = branch["string"]
		}
	}
	return fields
}
