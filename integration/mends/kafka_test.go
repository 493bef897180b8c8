//go:build unix

package mends

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// cluster starts a fake one of a single broker.
func cluster(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{
		"group.min.session.timeout.ms": "1000", "message.max.bytes": "16777216", // as a real topic would have it
	})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// kafkaStory is a story over a cluster. Its mends are obeyed for as long as one
// of its codes is refused: there is one for each topic.
type kafkaStory struct {
	codes   []pipeline.Code
	what    string
	cluster []kfake.Opt
	boss    string // password of its administrator
	kafka   string // further settings below kafka, in YAML's flow style
	arrange func(s *stage, broker string)
}

func (st *kafkaStory) name() string { return storyName(st.codes[0], st.what) }

// mostMends is more than a story can need.
const mostMends = 20

func (st *kafkaStory) run(t *testing.T, pg *pgserver.Server) {
	t.Parallel()
	broker := cluster(t, st.cluster...)
	s := newStage(t, pg, harness.Options{Brokers: []string{broker}})
	s.boss = st.boss
	s.kafka(st.kafka)
	if st.arrange != nil {
		st.arrange(s, broker)
	}
	for n := range mostMends {
		out, exit := s.sh("evert run --until-caught-up")
		if exit == 0 && n > 0 {
			break
		}
		i := slices.IndexFunc(st.codes, func(c pipeline.Code) bool { return strings.Contains(out, "["+string(c)+"]") })
		if i < 0 {
			t.Fatalf("not refused with any of %v; exit code %d:\n%s", st.codes, exit, out)
		}
		s.obey(mendOf(t, out, st.codes[i]), false)
	}
	s.equal(&story{compare: func(s *stage) { s.compareRows("t", harness.Topic("t")) }})
}

// kafka writes the file anew with other settings of the cluster.
func (s *stage) kafka(settings string) {
	s.Helper()
	text, err := os.ReadFile(s.Write())
	if err != nil {
		s.Fatal(err)
	}
	from, to := strings.Index(string(text), "kafka: "), strings.Index(string(text), "sources:")
	file := string(text[:from]) + fmt.Sprintf("kafka: {brokers: [%s], session_timeout: 2s%s}\n", s.Options.Brokers[0], settings) + string(text[to:])
	if err := os.WriteFile(filepath.Join(s.Dir, "evert.yaml"), []byte(file), 0o600); err != nil {
		s.Fatal(err)
	}
}

// ofKafka are stories of a cluster's topics and rights.
func ofKafka() []kafkaStory {
	const asCreated = ", topics: {replication_factor: 1}"
	copied := func(change string) func(s *stage, broker string) {
		return func(s *stage, broker string) {
			s.caughtUp()
			s.own("INSERT INTO t VALUES (4, 'four')")
			line := "kafka-configs.sh --bootstrap-server " + broker + " --entity-type topics --entity-name " + harness.Topic("t") + " --alter --add-config " + change
			if out, exit := s.sh(line); exit != 0 {
				s.Fatalf("%s: %s", line, out)
			}
		}
	}
	return []kafkaStory{
		{
			codes: []pipeline.Code{"TOPIC_MISSING"}, what: "for somebody else to make", kafka: ", topics: {replication_factor: 1, manage: verify}",
		},
		{
			codes: []pipeline.Code{"TOPIC_POLICY"}, what: "delete", kafka: asCreated, arrange: copied("cleanup.policy=delete"),
		},
		{
			codes: []pipeline.Code{"TOPIC_SETTINGS"}, what: "three of them", kafka: asCreated, arrange: func(s *stage, broker string) {
				copied("min.compaction.lag.ms=0,delete.retention.ms=1000,message.timestamp.type=CreateTime")(s, broker)
			},
		},
		{
			codes: []pipeline.Code{"TOPIC_PARTITIONS"}, what: "another number in the file, on a cluster", kafka: asCreated, arrange: func(s *stage, _ string) {
				s.caughtUp()
				s.own("DELETE FROM t WHERE id = 1", "INSERT INTO t SELECT i FROM generate_series(4, 40) i")
				s.kafka(", topics: {replication_factor: 1, partitions: 3}")
			},
		},
		{
			codes: []pipeline.Code{"KAFKA_DENIED"}, what: "a user without any right",
			cluster: []kfake.Opt{kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "boss"), kfake.User("PLAIN", "odd name", "pw")},
			boss:    "boss",
			kafka:   ", insecure: true, topics: {replication_factor: 1}, sasl: {mechanism: plain, username: odd name, password: pw}",
		},
	}
}

func TestMendsOnKafka(t *testing.T) {
	t.Parallel()
	for _, st := range ofKafka() {
		t.Run(st.name(), func(t *testing.T) { st.run(t, pg.server(t)) })
	}
}
