//go:build linux

package pgserver_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/evertdb/evert/sources/postgres/pgserver"
)

const fakePostgres = "#!/bin/sh\necho 'postgres (PostgreSQL) 17.11'\n"

func regular(name, body string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(body)), Format: tar.FormatPAX}
}

func bundleEntries() []tar.Header {
	return []tar.Header{
		{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		regular("bin/postgres", fakePostgres),
		regular("bin/initdb", fakePostgres),
		{Name: "lib/libpq.so.5", Typeflag: tar.TypeSymlink, Linkname: "libpq.so.5.17"},
		regular("lib/libpq.so.5.17", fakePostgres),
	}
}

// jar packs entries as a bundle does: a zip that holds a tar.xz.
func jar(t *testing.T, entries []tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	inner, err := z.Create("postgres-linux-x86_64.txz")
	must(t, err)
	x, err := xz.NewWriter(inner)
	must(t, err)
	w := tar.NewWriter(x)
	for _, h := range entries {
		must(t, w.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte(fakePostgres))
			must(t, err)
		}
	}
	must(t, errors.Join(w.Close(), x.Close(), z.Close()))
	return out.Bytes()
}

// fetcher serves served, and pins pinned.
func fetcher(t *testing.T, served, pinned []byte) pgserver.Fetcher {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/io/zonky/test/postgres/fake/1.0/fake-1.0.jar" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(served)
	}))
	t.Cleanup(web.Close)
	t.Cleanup(web.Client().CloseIdleConnections)
	sum := sha256.Sum256(pinned)
	return pgserver.Fetcher{
		Bundle:   pgserver.Bundle{Artifact: "fake", Version: "1.0", SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(pinned))},
		BaseURL:  web.URL,
		CacheDir: filepath.Join(t.TempDir(), "cache"),
		Client:   web.Client(),
	}
}

func yes(string) bool { return true }

func TestFetchAsksOnceAndUnpacks(t *testing.T) {
	bundle := jar(t, bundleEntries())
	f := fetcher(t, bundle, bundle)
	var questions []string
	ask := func(q string) bool { questions = append(questions, q); return true }
	for range 2 { // the second finds the cache
		b, err := f.Fetch(t.Context(), ask)
		must(t, err)
		if b.Version != "17.11" || !strings.HasPrefix(b.Dir, f.CacheDir) {
			t.Errorf("got %+v", b)
		}
	}
	if len(questions) != 1 || !strings.Contains(questions[0], f.BaseURL) {
		t.Errorf("asked %q; want one question that names the host", questions)
	}
	if left := entries(t, f.CacheDir); len(left) != 1 {
		t.Errorf("the cache holds %v; want the bundle alone", left)
	}
}

func TestFetchByManyAtOnce(t *testing.T) {
	bundle := jar(t, bundleEntries())
	f := fetcher(t, bundle, bundle)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := f.Fetch(t.Context(), yes); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if left := entries(t, f.CacheDir); len(left) != 1 {
		t.Errorf("the cache holds %v; want the bundle alone", left)
	}
}

func TestFetchFromTheRepositoryOnDisk(t *testing.T) {
	bundle := jar(t, bundleEntries())
	f := fetcher(t, nil, bundle)
	f.LocalRepo = t.TempDir()
	place := filepath.Join(f.LocalRepo, "io/zonky/test/postgres/fake/1.0")
	must(t, os.MkdirAll(place, 0o755))
	must(t, os.WriteFile(filepath.Join(place, "fake-1.0.jar"), bundle, 0o644))
	_, err := f.Fetch(t.Context(), yes)
	must(t, err)
}

func TestFetchRefusals(t *testing.T) {
	good := jar(t, bundleEntries())
	climbs := jar(t, []tar.Header{regular("../climbed", fakePostgres)})
	linked := jar(t, []tar.Header{
		{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "../../.."},
		regular("out/climbed", fakePostgres),
	})
	for _, c := range []struct {
		story          string
		served, pinned []byte
		confirm        func(string) bool
		want           error
		text           string
	}{
		{"consent refused", good, good, func(string) bool { return false }, pgserver.ErrDeclined, "apt-get install"},
		{"nobody to ask", good, good, nil, pgserver.ErrDeclined, "apt-get install"},
		{"another content", append(bytes.Clone(good[:len(good)-1]), 'x'), good, yes, pgserver.ErrChecksum, ""},
		{"more than was pinned", append(bytes.Clone(good), 'x'), good, yes, pgserver.ErrChecksum, ""},
		{"cut short", good[:100], good, yes, pgserver.ErrChecksum, ""},
		{"an entry that climbs out", climbs, climbs, yes, nil, "path escapes"},
		{"a link that leads out", linked, linked, yes, nil, "path escapes"},
		{"not a bundle", []byte("hello"), []byte("hello"), yes, zip.ErrFormat, ""},
	} {
		t.Run(c.story, func(t *testing.T) {
			f := fetcher(t, c.served, c.pinned)
			_, err := f.Fetch(t.Context(), c.confirm)
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v; want %v, %q", err, c.want, c.text)
			}
			if left := entries(t, f.CacheDir); len(left) != 0 {
				t.Errorf("the cache holds %v", left)
			}
		})
	}
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
