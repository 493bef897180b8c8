package pgserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// MavenCentral is where bundles come from unless EVERT_MAVEN_URL names a mirror.
const MavenCentral = "https://repo1.maven.org/maven2"

var (
	// ErrDeclined says that the question was answered with no.
	ErrDeclined = errors.New("the download was declined")
	// ErrChecksum says that a bundle is not the one that was pinned.
	ErrChecksum = errors.New("checksum mismatch")
)

// Fetch gives the pinned bundle's binaries, downloading them into the user's
// cache if they are not there yet. It asks confirm once before it writes
// anything; a nil confirm declines. It may be called by several processes at a
// time: each unpacks beside, and the first rename wins.
func Fetch(ctx context.Context, confirm func(question string) bool) (Binaries, error) {
	f, err := NewFetcher()
	if err != nil {
		return Binaries{}, err
	}
	return f.Fetch(ctx, confirm)
}

// A Fetcher holds what Fetch depends on.
type Fetcher struct {
	Bundle    Bundle
	BaseURL   string // root of a Maven repository, without a slash at its end
	LocalRepo string // a Maven repository on disk, tried first; empty for none
	CacheDir  string // bundles are unpacked below it
	Client    *http.Client
}

// NewFetcher gives the defaults of this platform and user.
func NewFetcher() (Fetcher, error) {
	bundle, err := pinned(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return Fetcher{}, err
	}
	cache, err := defaultCacheDir()
	if err != nil {
		return Fetcher{}, err
	}
	f := Fetcher{Bundle: bundle, BaseURL: MavenCentral, CacheDir: cache, Client: newClient()}
	if url := os.Getenv("EVERT_MAVEN_URL"); url != "" {
		f.BaseURL = strings.TrimRight(url, "/")
	}
	if home, err := os.UserHomeDir(); err == nil {
		f.LocalRepo = filepath.Join(home, ".m2", "repository")
	}
	return f, nil
}

// newClient has connections of its own, which Fetch closes when it is done.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}}
}

// Fetch is as the function of that name.
func (f Fetcher) Fetch(ctx context.Context, confirm func(question string) bool) (Binaries, error) {
	home := filepath.Join(f.CacheDir, f.Bundle.folder())
	if b, err := At(filepath.Join(home, "bin")); err == nil {
		return b, nil
	}
	if confirm == nil || !confirm(f.question()) {
		return Binaries{}, fmt.Errorf("Postgres %s was not fetched: %w\n  mend: %s", f.Bundle.Version, ErrDeclined, InstallHint())
	}
	defer f.Client.CloseIdleConnections()
	if err := f.install(ctx, home); err != nil {
		return Binaries{}, fmt.Errorf("fetch Postgres %s: %w", f.Bundle.Version, err)
	}
	return At(filepath.Join(home, "bin"))
}

func (f Fetcher) question() string {
	return fmt.Sprintf("No Postgres was found here. Download PostgreSQL %s (%d MB, checksummed) from %s into %s?",
		f.Bundle.Version, (f.Bundle.Bytes+500_000)/1_000_000, f.BaseURL, f.CacheDir)
}

// install writes the bundle beside its home and renames it there when whole, so
// that home is either absent or complete.
func (f Fetcher) install(ctx context.Context, home string) error {
	if err := os.MkdirAll(f.CacheDir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(f.CacheDir, ".unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	jar := filepath.Join(work, "bundle.jar")
	if err := f.obtain(ctx, jar); err != nil {
		return err
	}
	tree := filepath.Join(work, "tree")
	if err := unpack(ctx, jar, tree); err != nil {
		return err
	}
	return moveInto(tree, home)
}

// moveInto tolerates another process that was first; a broken home is replaced.
func moveInto(tree, home string) error {
	err := os.Rename(tree, home)
	if err == nil {
		return nil
	}
	if _, other := At(filepath.Join(home, "bin")); other == nil {
		return nil
	}
	if err := os.RemoveAll(home); err != nil {
		return err
	}
	return os.Rename(tree, home)
}

// obtain copies the checked jar to path, from the repository on disk or by HTTP.
func (f Fetcher) obtain(ctx context.Context, path string) error {
	if f.LocalRepo != "" {
		local, err := os.Open(filepath.Join(f.LocalRepo, filepath.FromSlash(f.Bundle.path())))
		if err == nil {
			defer local.Close()
			if f.keep(local, path) == nil {
				return nil
			}
		}
	}
	url := f.BaseURL + "/" + f.Bundle.path()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return fmt.Errorf("%w\n  mend: set EVERT_MAVEN_URL to a reachable Maven repository, or %s", err, InstallHint())
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	if err := f.keep(resp.Body, path); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}

// keep writes at most the pinned number of bytes and then compares checksums;
// whoever sends more has sent something else.
func (f Fetcher) keep(r io.Reader, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(file, sum), io.LimitReader(r, f.Bundle.Bytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.Bundle.SHA256 {
		return fmt.Errorf("%w: got sha256 %s, pinned %s", ErrChecksum, got, f.Bundle.SHA256)
	}
	return nil
}
