package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// A lane is one named check.
type lane struct {
	name string
	does string // said before it runs
	when when
	run  func(ctx context.Context, r *report) (tally, error)
}

// when says who runs a lane that LANES does not name.
type when int

const (
	always when = iota // make test
	inCI               // make ci, beside what make test runs
	byName             // nobody
)

// lanes in the order in which they run: what fails fast comes first.
func lanes() []lane {
	return []lane{
		{name: "prepare", does: "servers and tools to test with", run: prepare},
		{name: "format", does: "gofmt", run: format},
		{name: "build", does: "go build, every package", run: command("go", "build", "./...")},
		{name: "vet", does: "go vet", run: command("go", "vet", "./...")},
		{name: "house", does: "imports, lengths, documents", run: goTest(in(houseFolders...))},
		{name: "tests", does: "beside the code, and the real binary against real servers; all but the long ones", run: withProgram(notIn(houseFolders...), "-skip="+longPattern())},
		{name: "modules", does: "go mod verify: what was fetched is what go.sum names (X15)", run: verifyModules},
		{name: "long", does: "the tests that make test leaves out", when: inCI, run: long},
		{name: "versions", does: "the source and the road on the oldest and the newest Postgres", when: inCI, run: versions},
		{name: "race", does: "race detector on what runs concurrently; -short lowers counts", when: inCI, run: race},
		{name: "lint", does: "staticcheck", when: inCI, run: command("go", "tool", "-modfile=.ci/tools/go.mod", "staticcheck", "./...")},
		{name: "cross", does: "builds for the other platforms", when: inCI, run: cross},
		{name: "unit", does: "tests beside the code", when: byName, run: goTest(notIn("integration"), atOnce, abreast)},
		{name: "integration", does: "the real binary against real servers", when: byName, run: withProgram(integrationOnly)},
		{name: "crash", does: "kill -9 at random moments, full counts, and the long tests", when: byName, run: crash},
		{name: "extensions", does: "the types of pgvector and PostGIS, and pg_upgrade, with the Postgres 17 that Debian trixie has", when: byName, run: extensions},
		{name: "mysql", does: "the MySQL source and its road on other servers: EVERT_MYSQLS, else those that Debian has", when: byName, run: mysqls},
		{name: "vuln", does: "govulncheck, which asks the network for the list", when: byName,
			run: command("go", "tool", "-modfile=.ci/tools/go.mod", "govulncheck", "./...")},
		{name: "fuzz", does: "every fuzz target for EVERT_FUZZTIME (10s)", when: byName, run: fuzz},
	}
}

func integrationOnly(folder string) bool {
	return in("integration")(folder) && !in(houseFolders...)(folder)
}

// atOnce is how many tests of one package run side by side: more than there are cores
// where tests wait for servers, elections and sessions most of the time.
const atOnce = "-parallel=4"

// abreast is how many packages run side by side, on few cores as on many: most of them
// wait for servers, timeouts and elections half of the time or longer.
const abreast = "-p=4"

// withProgram is goTest with the program built once, for all packages that run it.
func withProgram(chosen func(string) bool, flags ...string) func(context.Context, *report) (tally, error) {
	return func(ctx context.Context, r *report) (tally, error) {
		dir, err := os.MkdirTemp("", "evert-bin-")
		if err != nil {
			return tally{failed: 1}, err
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "evert")
		sum, err := r.step(ctx, "go build ./cmd/evert", nil, "go", "build", "-o", path, "./cmd/evert")
		if err != nil {
			return sum, err
		}
		r.env = append(r.env, "EVERT_BIN="+path)
		t, err := goTest(chosen, append(flags, "-count=1", atOnce, abreast)...)(ctx, r)
		sum.add(t)
		return sum, err
	}
}

// race needs a C compiler, since the detector is linked through cgo.
func race(ctx context.Context, r *report) (tally, error) {
	if !r.has("gcc", "clang", "cc") {
		return tally{}, cannot{"no C compiler, which the race detector needs", "sudo apt-get install -y --no-install-recommends gcc libc6-dev"}
	}
	r.env = append(r.env, "CGO_ENABLED=1")
	return goTest(exactly(raceFolders...), "-race", "-short", abreast, "-skip="+notRaced)(ctx, r)
}

// crash runs whole folders with their counts, among which are most of the long tests,
// and then the other long ones.
func crash(ctx context.Context, r *report) (tally, error) {
	if os.Getenv("EVERT_CRASH_RUNS") == "" {
		r.env = append(r.env, "EVERT_CRASH_RUNS=200", "EVERT_FULL=1")
	}
	sum, err := goTest(exactly(crashFolders...), "-count=1", "-timeout=3h")(ctx, r)
	rest, restErr := runLong(ctx, r, longBeyond(crashFolders...))
	sum.add(rest)
	return sum, errors.Join(err, restErr)
}

// verifyModules looks at what lies in the module cache, ours and the tools'.
func verifyModules(ctx context.Context, r *report) (tally, error) {
	sum, err := r.step(ctx, "go mod verify", nil, "go", "mod", "verify")
	if err != nil {
		return sum, err
	}
	tools, err := r.step(ctx, "go mod verify, tools", nil, "go", "mod", "verify", "-modfile=.ci/tools/go.mod")
	sum.add(tools)
	return sum, err
}

// cross compiles, without linking, for the platforms that are released.
func cross(ctx context.Context, r *report) (tally, error) {
	var sum tally
	for _, platform := range [][2]string{{"darwin", "arm64"}, {"windows", "amd64"}} {
		env := []string{"CGO_ENABLED=0", "GOOS=" + platform[0], "GOARCH=" + platform[1]}
		t, err := r.step(ctx, platform[0]+"/"+platform[1], env, "go", "list", "-export", `-f={{""}}`, "./...") // go build would link five programs
		sum.add(t)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}
