//go:build unix

package mends

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/check"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var (
	suite harness.Suite
	pg    shared
)

// shared is the server that most stories are played on.
type shared struct {
	once sync.Once
	*pgserver.Server
	err error
}

func (s *shared) server(t *testing.T) *pgserver.Server {
	t.Helper()
	bin := pgtest.Binaries(t)
	s.once.Do(func() {
		s.Server, s.err = pgserver.Start(context.Background(), bin, pgserver.Options{Kept: pgtest.Kept(), Settings: map[string]string{
			"fsync": "off", "full_page_writes": "off", "max_replication_slots": "60", "max_wal_senders": "60"}})
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.Server
}

// run runs the tests, then ends the server and removes what was built.
func (s *shared) run(m *testing.M) int {
	code := suite.Main(m)
	if s.Server == nil {
		return code
	}
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close the shared Postgres:", err)
		return max(code, 1)
	}
	return code
}

func TestMain(m *testing.M) {
	if tool, ok := calledAs(os.Args[0]); ok {
		os.Exit(tool(os.Args[1:]))
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil { // stories mostly wait
		panic(err)
	}
	os.Exit(pg.run(m))
}

// A story is one way to be refused, and how its mend ends in equality.
type story struct {
	code    pipeline.Code
	what    string
	options harness.Options
	// arrange makes everything good, and then one thing wrong. Where the thing
	// can only go wrong while the daemon runs, arrange runs it.
	arrange func(s *stage)
	first   []pipeline.Code // what is refused before it, and mended the same way
	other   bool            // the way to go is that of the line that begins with `or`
	then    []pipeline.Code // what is refused next, and mended the same way
	tables  []string        // compared in the end; t if nil
	compare func(s *stage)  // instead, for tables whose key is not their primary key
}

// name is the subtest's, and what testdata/codes.txt calls it.
func (st *story) name() string { return storyName(st.code, st.what) }

func storyName(code pipeline.Code, what string) string {
	return strings.ReplaceAll(string(code)+" "+what, " ", "_")
}

// codes are the refusals of a story, in their order.
func (st *story) codes() []pipeline.Code {
	return slices.Concat(st.first, []pipeline.Code{st.code}, st.then)
}

func (st *story) run(t *testing.T, pg *pgserver.Server) {
	t.Parallel()
	s := newStage(t, pg, st.options)
	st.arrange(s)
	for _, code := range st.codes() {
		out, exit := s.sh("evert run --until-caught-up")
		if exit == 0 {
			t.Fatalf("not refused with %s:\n%s", code, out)
		}
		s.obey(mendOf(t, out, code), st.other)
	}
	s.equal(st)
}

// equal catches up and compares.
func (s *stage) equal(st *story) {
	s.Helper()
	if out, exit := s.sh("evert run --until-caught-up"); exit != 0 {
		s.Fatalf("the mend did not mend; exit code %d:\n%s", exit, out)
	}
	if st.compare != nil {
		st.compare(s)
		return
	}
	tables := st.tables
	if tables == nil {
		tables = []string{"t"}
	}
	s.compareTables(tables...)
}

func (s *stage) compareTables(tables ...string) {
	s.Helper()
	var problems check.Problems
	rows, err := check.Tables(s.World, &problems, tables...)
	if err == nil {
		err = problems.Err()
	}
	if err != nil || rows == 0 {
		s.Fatalf("%d rows compared: %v", rows, err)
	}
}

// TestMends runs the stories that share one server.
func TestMends(t *testing.T) {
	t.Parallel()
	for _, st := range stories() {
		t.Run(st.name(), func(t *testing.T) { st.run(t, pg.server(t)) })
	}
}

// tools is a folder for the PATH: evert, and the commands of Kafka, which this
// binary is when it is called by their names.
func tools(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]string{"evert": suite.Evert(t), "curl": self}
	for name := range kafkaTools {
		links[name] = self
	}
	for name, path := range links {
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
