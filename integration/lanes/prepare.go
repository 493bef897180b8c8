package main

import (
	"context"
	"fmt"
	"os"

	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// prepare finds what the tests need and, when we are root on a Debian, installs
// what is missing. Everybody else is told the one command.
func prepare(ctx context.Context, r *report) (tally, error) {
	b, err := pgserver.Find()
	if err == nil {
		fmt.Fprintf(r.out, "ok  Postgres %s in %s\n", b.Version, b.Dir)
		return tally{passed: 1}, nil
	}
	if os.Geteuid() != 0 || !r.has("apt-get") {
		return tally{}, cannot{err.Error(), pgserver.InstallHint()}
	}
	if err := r.install(ctx, "postgresql"); err != nil {
		return tally{failed: 1}, err
	}
	if b, err = pgserver.Find(); err != nil {
		return tally{failed: 1}, err
	}
	fmt.Fprintf(r.out, "ok  Postgres %s in %s\n", b.Version, b.Dir)
	return tally{passed: 1}, nil
}

// install brings Debian packages, saying so first.
func (r *report) install(ctx context.Context, packages ...string) error {
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	fmt.Fprintf(r.out, "installing %v by apt-get, since we are root\n", packages)
	if _, err := r.step(ctx, "apt-get update", env, "apt-get", "update"); err != nil {
		return err
	}
	args := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	_, err := r.step(ctx, "apt-get install", env, "apt-get", args...)
	return err
}
