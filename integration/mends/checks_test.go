//go:build unix

package mends

import (
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// A checkStory is a warning of `evert check --connect`, which keeps nothing from
// starting. Its mend is obeyed, and then the check no longer says it.
type checkStory struct {
	code    pipeline.Code
	what    string
	options harness.Options
	arrange func(s *stage)
}

func (st *checkStory) name() string { return storyName(st.code, st.what) }

func (st *checkStory) run(t *testing.T, pg *pgserver.Server) {
	s := newStage(t, pg, st.options)
	st.arrange(s)
	s.warned(st.code)
	if out, exit := s.sh("evert run --until-caught-up"); exit != 0 {
		t.Fatalf("a warning kept the source from starting; exit code %d:\n%s", exit, out)
	}
	s.compareTables("t")
}

// warned runs a check that has to warn with this code and nothing worse, obeys
// the mend, and checks again.
func (s *stage) warned(code pipeline.Code) {
	s.Helper()
	out, exit := s.sh("evert check --connect")
	if exit != 0 {
		s.Fatalf("exit code %d:\n%s", exit, out)
	}
	s.obey(mendOf(s, out, code), false)
	if out, _ := s.sh("evert check --connect"); strings.Contains(out, string(code)) {
		s.Fatalf("%s has not gone:\n%s", code, out)
	}
}

// ofChecks are those that a shared server can play.
func ofChecks() []checkStory {
	return []checkStory{
		{code: "PG_ORPHAN_SLOT", what: "left by somebody", arrange: func(s *stage) {
			s.own("SELECT pg_create_logical_replication_slot('left_' || current_database(), 'pgoutput')")
		}},
		{code: "PG_PUBLISHED_IN_PART", what: "without some rows", arrange: func(s *stage) {
			s.own("CREATE PUBLICATION " + s.slot() + " FOR TABLE t WHERE (id > 1)")
		}},
	}
}

func TestMendsOfChecks(t *testing.T) {
	t.Parallel()
	for _, st := range ofChecks() {
		t.Run(st.name(), func(t *testing.T) {
			t.Parallel()
			st.run(t, pg.server(t))
		})
	}
}
