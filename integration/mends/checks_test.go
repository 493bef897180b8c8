//go:build unix

package mends

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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

// onCluster is a stage whose log is on a fake cluster of its own.
func onCluster(t *testing.T, broker, kafka string) *stage {
	t.Helper()
	s := newStage(t, pg.server(t), harness.Options{Brokers: []string{broker}})
	s.kafka(", topics: {replication_factor: 1" + kafka + "}")
	return s
}

// TestCheckOfTopics checks deployments on a cluster before they do harm.
func TestCheckOfTopics(t *testing.T) {
	t.Parallel()
	t.Run("topics that people make are printed before the first start", func(t *testing.T) {
		t.Parallel()
		s := onCluster(t, cluster(t), ", manage: verify")
		made := 0
		for ; made < mostMends; made++ {
			out, exit := s.sh("evert check --connect")
			if exit == 0 {
				break
			}
			s.obey(mendOf(t, out, "TOPIC_MISSING"), false)
		}
		if made != 5 { // frontier, control, schemas, owners, t
			t.Errorf("%d topics were made", made)
		}
		s.caughtUp()
		s.compareRows("t", harness.Topic("t"))
	})
	t.Run("K12 a topic of another deployment", func(t *testing.T) {
		t.Parallel()
		broker := cluster(t)
		onCluster(t, broker, "").caughtUp()
		second := onCluster(t, broker, "")
		out, exit := second.sh("evert check --connect")
		if exit != 3 || !strings.Contains(out, "topic db.public.t: it belongs to source db of deployment") || !strings.Contains(out, "[TOPIC_OWNED]") {
			t.Errorf("exit code %d:\n%s", exit, out)
		}
	})
	t.Run("K13 a topic that is gone", func(t *testing.T) {
		t.Parallel()
		broker := cluster(t)
		s := onCluster(t, broker, "")
		s.caughtUp()
		s.deleteTopic(broker, harness.Topic("t"))
		out, exit := s.sh("evert check --connect")
		if exit != 3 || !strings.Contains(out, "[TOPIC_MISSING]") {
			t.Fatalf("exit code %d:\n%s", exit, out)
		}
		s.obey(mendOf(t, out, "TOPIC_MISSING"), false)
		s.caughtUp()
		s.compareRows("t", harness.Topic("t"))
	})
}

func (s *stage) deleteTopic(broker, topic string) {
	s.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		s.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).DeleteTopic(s.Context(), topic); err != nil {
		s.Fatal(err)
	}
}
