package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// mysqls runs the suites of the MySQL source and what is built on it against other
// servers than the installed one: those of EVERT_MYSQLS (paths of daemons, separated as
// a PATH is), else those that Maven's repository and Debian's archive have, fetched once.
func mysqls(ctx context.Context, r *report) (tally, error) {
	daemons, err := otherMySQLs(ctx, r)
	var sum tally
	for _, daemon := range daemons {
		t, runErr := r.mysql(ctx, daemon)
		sum.add(t)
		err = errors.Join(err, runErr)
	}
	return sum, err
}

func otherMySQLs(ctx context.Context, r *report) (daemons []string, err error) {
	if named := os.Getenv("EVERT_MYSQLS"); named != "" {
		return filepath.SplitList(named), nil
	}
	take := func(daemon string, fetchErr error) {
		if err = errors.Join(err, fetchErr); fetchErr == nil {
			daemons = append(daemons, daemon)
		}
	}
	for _, s := range mavenServers() {
		take(s.fetch(ctx, r))
	}
	for _, s := range debianServers() {
		take(s.fetch(ctx, r))
	}
	return daemons, err
}

// mysql runs them against one server.
func (r *report) mysql(ctx context.Context, daemon string) (tally, error) {
	b, err := mysqlserver.At(daemon)
	if err != nil {
		return tally{failed: 1}, err
	}
	name := "MySQL"
	if b.MariaDB() {
		name = "MariaDB"
	}
	fmt.Fprintf(r.out, "%s %s:\n", name, b.Version)
	env := r.env
	defer func() { r.env = env }()
	r.env = append(env[:len(env):len(env)], "EVERT_TEST_MYSQL="+daemon)
	sum, err := goTest(exactly(mysqlFolders...), "-short", "-count=1")(ctx, r)
	if err != nil {
		return sum, err
	}
	t, err := goTest(exactly("cmd/evert", "integration/rights"), "-short", "-count=1", "-run=MySQL")(ctx, r)
	sum.add(t)
	if err != nil || b.MariaDB() {
		return sum, err
	}
	r.env = append(r.env, "EVERT_TEST_MYSQL_GTIDS=off") // by file and position
	t, err = goTest(exactly("sources/mysql"), "-short", "-count=1")(ctx, r)
	sum.add(t)
	return sum, err
}
