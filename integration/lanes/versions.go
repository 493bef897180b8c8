package main

import (
	"context"
	"fmt"
	"os"

	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// versions runs the suites of the Postgres source and sink against the oldest and the newest
// major version that is captured from, and the whole road on the newest; with
// EVERT_FULL=1 both on all of them, into Kafka too. Binaries are fetched, by checksum, once.
func versions(ctx context.Context, r *report) (tally, error) {
	bundles := pgtest.Versions()
	if len(bundles) == 0 {
		return tally{}, cannot{"no other Postgres is pinned for this platform", "EVERT_TEST_PG=/path/to/bin go test ./sources/postgres/..."}
	}
	if os.Getenv("EVERT_FULL") != "1" {
		bundles = []pgserver.Bundle{bundles[0], bundles[len(bundles)-1]}
	}
	var sum tally
	for i, b := range bundles {
		folders := []string{"sources/postgres", "sinks/postgres", "integration/road"} // old servers print some values wrongly: pipeline/scalar is not for them
		if i == 0 && os.Getenv("EVERT_FULL") != "1" {
			folders = folders[:2]
		}
		t, err := r.version(ctx, b, folders)
		sum.add(t)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func (r *report) version(ctx context.Context, b pgserver.Bundle, folders []string) (tally, error) {
	f, err := pgserver.NewFetcher()
	if err != nil {
		return tally{failed: 1}, err
	}
	f.Bundle = b
	found, err := f.Fetch(ctx, func(string) bool { return true })
	if err != nil {
		return tally{}, cannot{err.Error(), "EVERT_MAVEN_URL=https://a.mirror/maven2 make test"}
	}
	fmt.Fprintf(r.out, "Postgres %s:\n", found.Version)
	env := r.env
	defer func() { r.env = env }()
	r.env = append(env[:len(env):len(env)], "EVERT_TEST_PG="+found.Dir)
	flags := []string{"-short", "-count=1", atOnce, abreast}
	if os.Getenv("EVERT_FULL") != "1" {
		flags = append(flags, "-skip="+notVersioned)
	}
	return goTest(exactly(folders...), flags...)(ctx, r)
}
