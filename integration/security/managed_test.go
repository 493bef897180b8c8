//go:build unix

package security

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// TestManaged has topics made by a cluster that refuses settings: those of the
// user's own are findings of check and run, and the table arrives; those that
// correctness needs are refusals, and no topic is made.
func TestManaged(t *testing.T) {
	t.Parallel()
	b, server := theBroker(t), pg.Server(t)
	file := func(t *testing.T, config string) (path string) {
		w := suite.NewWorld(t, server, fmt.Sprintf("door_%d", doors.Add(1)))
		w.SQL(w.Database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "ALTER TABLE t OWNER TO capture")
		text := strings.Replace(kafkaFile(w, b.Brokers()[0], "tls: {mode: disable}"), "replication_factor: 1", "replication_factor: 1, config: {"+config+"}", 1)
		path = filepath.Join(w.Dir, "evert.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("settings of one's own", func(t *testing.T) {
		path := file(t, `segment.ms: "-5", no.such.setting: "1", min.insync.replicas: "1"`)
		out, _, exit := harness.Run(t, suite.Evert(t), "check", "--connect", "-c", path)
		if exit != 0 {
			t.Errorf("check: exit code %d:\n%s", exit, out)
		}
		_, errs, exit := harness.Run(t, suite.Evert(t), "run", "--until-caught-up", "-c", path)
		if exit != 0 {
			t.Errorf("run: exit code %d:\n%s", exit, errs)
		}
		for name, text := range map[string]string{"check": out, "run": errs} {
			for _, setting := range []string{"segment.ms=-5", "no.such.setting=1"} {
				if !strings.Contains(text, "refuses the setting "+setting) || !strings.Contains(text, "TOPIC_SETTING_LEFT_OUT") {
					t.Errorf("%s does not tell of %s:\n%s", name, setting, text)
				}
			}
			if strings.Contains(text, "min.insync.replicas") {
				t.Errorf("%s tells of a setting that was taken:\n%s", name, text)
			}
		}
	})
	t.Run("a setting that is needed", func(t *testing.T) {
		path := file(t, `delete.retention.ms: "-2"`)
		for _, verb := range [][]string{{"check", "--connect"}, {"run", "--until-caught-up"}} {
			out, errs, exit := harness.Run(t, suite.Evert(t), append(verb, "-c", path)...)
			if exit != 3 || !strings.Contains(out+errs, "[TOPIC_SETTING_REFUSED]") || !strings.Contains(out+errs, "delete.retention.ms=-2, which the topic needs") {
				t.Errorf("%s: exit code %d:\n%s%s", verb[0], exit, out, errs)
			}
		}
	})
	t.Run("verify makes no topic, and never looks at no setting", func(t *testing.T) { managedByOthers(t, b, server) })
}

// managedByOthers: verify → missing, and nothing is made · create · somebody alters the
// topic → verify refuses it, never does not.
func managedByOthers(t *testing.T, b *broker, server *pgserver.Server) {
	w := suite.NewWorld(t, server, fmt.Sprintf("door_%d", doors.Add(1)))
	w.SQL(w.Database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "ALTER TABLE t OWNER TO capture")
	run := func(manage string) (says string, exit int) {
		text := strings.Replace(kafkaFile(w, b.Brokers()[0], "tls: {mode: disable}"), "replication_factor: 1", "replication_factor: 1, manage: "+manage, 1)
		path := filepath.Join(w.Dir, "evert.yaml")
		write(t, path, text)
		_, says, exit = harness.Run(t, suite.Evert(t), "run", "--until-caught-up", "-c", path)
		return says, exit
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin, topic := kadm.NewClient(cl), w.Database+".public.t"

	if says, exit := run("verify"); exit == 0 || !strings.Contains(says, "[TOPIC_MISSING]") || !strings.Contains(says, "kafka-topics.sh") {
		t.Errorf("verify without topics: exit code %d:\n%s", exit, says)
	}
	all, err := admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all.Names() {
		if strings.Contains(name, w.Database) {
			t.Errorf("verify made %s", name)
		}
	}
	if says, exit := run("create"); exit != 0 {
		t.Fatalf("create: exit code %d:\n%s", exit, says)
	}

	short := "1000"
	answers, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "delete.retention.ms", Value: &short}}, topic)
	if err != nil || len(answers) != 1 || answers[0].Err != nil {
		t.Fatal(answers, err)
	}
	w.SQL(w.Database, "INSERT INTO t VALUES (2)")
	if says, exit := run("verify"); exit == 0 || !strings.Contains(says, "delete.retention.ms=1000") || !strings.Contains(says, "[TOPIC_SETTINGS]") {
		t.Errorf("verify of a topic that keeps no tombstones: exit code %d:\n%s", exit, says)
	}
	if says, exit := run("never"); exit != 0 {
		t.Errorf("never: exit code %d:\n%s", exit, says)
	}
}
