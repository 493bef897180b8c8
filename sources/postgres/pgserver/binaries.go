package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MinMajor is the oldest major version that Evert captures from.
const MinMajor = 12

// ErrNotFound says that no usable Postgres is on this machine.
var ErrNotFound = errors.New("no Postgres binaries found")

// Binaries is a folder holding initdb and postgres of one version.
type Binaries struct {
	Dir     string // absolute; symbolic links resolved
	Version string // as printed by `postgres --version`, for example "15.18"
	Major   int
}

// Tool gives the path of another program of the same version, for example
// pgbench or pg_recvlogical. Bundles and server-only packages lack most of them.
func (b Binaries) Tool(name string) (string, error) {
	path := filepath.Join(b.Dir, name+exeSuffix)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no %s beside Postgres %s in %s: %w", name, b.Version, b.Dir, ErrNotFound)
	}
	return path, nil
}

// Find gives the first usable Postgres, in the order of Finder.Find.
func Find() (Binaries, error) {
	f := Finder{Path: os.Getenv("PATH")}
	if cache, err := defaultCacheDir(); err == nil {
		f.Cache = cache
	}
	return f.Find()
}

// A Finder says where to look. The zero value looks in the system's folders only.
type Finder struct {
	Root  string // stands before every absolute folder; tests only
	Path  string // a PATH list, looked at first
	Cache string // where Fetch unpacks, looked at last
}

// Find gives the first usable Postgres: PATH, then the folders of packagers
// (newest version first within each), then our own cache. A folder that holds
// an older version than MinMajor, or one that does not run, is passed over; if
// nothing is left the error lists why, and wraps ErrNotFound.
func (f Finder) Find() (Binaries, error) {
	var passed []error
	for _, dir := range f.candidates() {
		b, err := At(dir)
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			passed = append(passed, err)
		}
	}
	return Binaries{}, errors.Join(append([]error{ErrNotFound}, passed...)...)
}

func (f Finder) candidates() []string {
	dirs := filepath.SplitList(f.Path)
	for _, pattern := range systemFolders() {
		dirs = append(dirs, newestFirst(filepath.Join(f.Root, pattern))...)
	}
	if b, err := pinned(runtime.GOOS, runtime.GOARCH); err == nil && f.Cache != "" {
		dirs = append(dirs, filepath.Join(f.Cache, b.folder(), "bin"))
	}
	return dirs
}

// systemFolders are the places where packagers put server binaries; none of
// these is on PATH by default.
func systemFolders() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{`C:\Program Files\PostgreSQL\*\bin`}
	case "darwin":
		return []string{
			"/opt/homebrew/opt/postgresql@*/bin",
			"/usr/local/opt/postgresql@*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
			"/Library/PostgreSQL/*/bin",
		}
	default:
		return []string{
			"/usr/lib/postgresql/*/bin",
			"/usr/pgsql-*/bin",
			"/usr/lib/postgresql*/bin",
			"/usr/libexec/postgresql*",
			"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		}
	}
}

// newestFirst expands a pattern and sorts by the number in place of the star.
func newestFirst(pattern string) []string {
	dirs, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	prefix := pattern[:strings.IndexByte(pattern, '*')]
	slices.SortStableFunc(dirs, func(a, b string) int {
		return leadingNumber(b[len(prefix):]) - leadingNumber(a[len(prefix):])
	})
	return dirs
}

func leadingNumber(s string) int {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(s[:end])
	return n
}

// At looks at one folder. The error wraps os.ErrNotExist when the programs are
// not there at all.
func At(dir string) (Binaries, error) {
	program, err := resolve(dir, "postgres")
	if err != nil {
		return Binaries{}, err
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(program), "initdb"+exeSuffix)); err != nil {
		return Binaries{}, err
	}
	version, major, err := versionOf(program)
	if err != nil {
		return Binaries{}, err
	}
	if major < MinMajor {
		return Binaries{}, fmt.Errorf("%s is Postgres %s, which is older than %d", dir, version, MinMajor)
	}
	return Binaries{Dir: filepath.Dir(program), Version: version, Major: major}, nil
}

// resolve follows links, so that a lone link on PATH leads to the whole folder.
func resolve(dir, name string) (string, error) {
	path, err := filepath.EvalSymlinks(filepath.Join(dir, name+exeSuffix))
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

func versionOf(program string) (string, int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", 0, fmt.Errorf("%s does not run: %w", program, err)
	}
	m := regexp.MustCompile(`\(PostgreSQL\) ((\d+)[\w.]*)`).FindSubmatch(out)
	if m == nil {
		return "", 0, fmt.Errorf("%s --version printed no version of PostgreSQL", program)
	}
	major, err := strconv.Atoi(string(m[2]))
	return string(m[1]), major, err
}

// InstallHint is the one command that installs a Postgres on this system.
func InstallHint() string {
	switch runtime.GOOS {
	case "windows":
		return "winget install PostgreSQL.PostgreSQL.17"
	case "darwin":
		return "brew install postgresql@17"
	default:
		return "sudo apt-get install -y --no-install-recommends postgresql"
	}
}
