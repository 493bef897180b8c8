//go:build unix

package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A Suite holds what the tests of one binary share: the programs they run. The
// zero value is ready. Its methods may be called at the same time.
//
//	var suite harness.Suite
//
//	func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }
type Suite struct {
	mu       sync.Mutex
	dir      string
	programs map[string]*program
}

type program struct {
	once sync.Once
	path string
	err  error
}

// Main runs the tests and removes what was built. Its result is for os.Exit.
func (s *Suite) Main(m *testing.M) int {
	code := m.Run()
	s.Close()
	return code
}

// Close removes what was built.
func (s *Suite) Close() {
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// Evert gives the path of the binary, built with these tags once. EVERT_BIN
// names one that is built already, for runs without tags.
func (s *Suite) Evert(t testing.TB, tags ...string) string {
	t.Helper()
	if path := os.Getenv("EVERT_BIN"); path != "" && len(tags) == 0 {
		return path
	}
	return s.Program(t, "./cmd/evert", tags...)
}

// Program builds a main package of this module once and gives its path.
func (s *Suite) Program(t testing.TB, pkg string, tags ...string) string {
	t.Helper()
	tag := strings.Join(tags, ",")
	p, dir := s.entry(t, pkg+" "+tag)
	p.once.Do(func() { p.path, p.err = build(dir, pkg, tag) })
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.path
}

func (s *Suite) entry(t testing.TB, key string) (*program, string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "evert-bin-")
		if err != nil {
			t.Fatal(err)
		}
		s.dir, s.programs = dir, map[string]*program{}
	}
	if s.programs[key] == nil {
		s.programs[key] = &program{}
	}
	return s.programs[key], filepath.Join(s.dir, strconv.Itoa(len(s.programs)))
}

// Build compiles a main package of this module into dir.
func Build(dir, pkg string) (string, error) { return build(dir, pkg, "") }

func build(dir, pkg, tag string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*Patience) // with an empty cache, beside all other tests
	defer cancel()
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", tag, "-o", path, pkg) // as make build: one cache for all
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build -tags %q %s: %w\n%s", tag, pkg, err, out)
	}
	return path, nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no go.mod above the working directory")
}

// Seed gives the seed of a run: EVERT_SEED, else one that is always fresh. It is
// printed when the test fails, and replays its choices.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64() >> 16
	if text := os.Getenv("EVERT_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("EVERT_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d; replay: EVERT_SEED=%d go test -run '%s$' ./integration/…", seed, seed, t.Name())
	return seed
}

// Number reads a whole number from the environment, for the size of a run.
func Number(t testing.TB, name string, standard int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Full reports whether runs are as large as promised, and not as CI can afford:
// EVERT_FULL=1.
func Full() bool { return os.Getenv("EVERT_FULL") == "1" }
