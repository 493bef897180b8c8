package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// extended is a Postgres with the extensions that no bundle has, and with pg_upgrade. Of
// what PostGIS depends on only that comes along without which its types cannot be used:
// all of it is a gigabyte.
var extended = debianServer{
	folder: "trixie-postgres", release: "trixie", pkg: "postgresql-17", daemon: postgresFolder + "/postgres",
	more:    []string{"postgresql-17-pgvector", "libgeos-c1t64", "libproj25", "libjson-c5", "libprotobuf-c1"},
	alone:   []string{"postgresql-17-postgis-3", "postgresql-17-postgis-3-scripts"},
	options: asItself, ready: readyPostgres,
}

// asItself lets a program know itself by the name of its script: it looks for the others
// beside itself.
const asItself = " --argv0 \"$0\""

const (
	postgresFolder = "usr/lib/postgresql/17/bin"
	namedPostgres  = "EVERT_TEST_PG=/path/to/bin go test -run '^(TestEveryTypeEveryWay|TestMajorUpgrade)$' ./sources/postgres"
)

// extensions runs the corpus of types with pgvector and PostGIS, and an upgrade by
// pg_upgrade from the installed Postgres.
func extensions(ctx context.Context, r *report) (tally, error) {
	postgres, err := extended.fetch(ctx, r)
	if err != nil {
		return tally{}, err
	}
	fmt.Fprintf(r.out, "Postgres 17 of Debian %s:\n", extended.release)
	env := r.env
	defer func() { r.env = env }()
	r.env = append(env[:len(env):len(env)], "EVERT_TEST_PG="+filepath.Dir(postgres), "EVERT_EXTENSIONS=vector,postgis")
	return goTest(exactly("sources/postgres"), "-short", "-count=1", "-run=^(TestEveryTypeEveryWay|TestMajorUpgrade)$")(ctx, r)
}

// readyPostgres makes scripts of all programs but the server, which is last, and gives
// PostGIS the name that Debian gives it when it is installed.
func readyPostgres(root string) error {
	names, err := filepath.Glob(filepath.Join(root, postgresFolder, "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if filepath.Base(name) == "postgres" || !isProgram(name) {
			continue
		}
		if err := behindLoader(root, name, asItself); err != nil {
			return err
		}
	}
	return os.Symlink("postgis-3.control", filepath.Join(root, "usr/share/postgresql/17/extension/postgis.control"))
}

// isProgram reports whether a file is one that a loader loads.
func isProgram(name string) bool {
	b, err := os.ReadFile(name)
	return err == nil && bytes.HasPrefix(b, []byte("\x7fELF"))
}
