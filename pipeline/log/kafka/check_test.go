package kafka

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

// checked gives the findings of a check with this code.
func checked(t *testing.T, l *Log, s Subjects, code pipeline.Code) (out []pipeline.Finding) {
	t.Helper()
	for _, f := range l.Check(t.Context(), s) {
		if f.Code == code {
			out = append(out, f)
		}
	}
	return out
}

var alterCommand = regexp.MustCompile(`(?m)^kafka-configs\.sh --bootstrap-server \S+ --entity-type topics --entity-name (\S+) --alter --add-config (\S+)=(\S+)$`)

// alter does what the commands of a mend would.
func alter(t *testing.T, l *Log, mend string) {
	t.Helper()
	commands := alterCommand.FindAllStringSubmatch(mend, -1)
	if len(commands) == 0 {
		t.Fatalf("nothing to run in %q", mend)
	}
	for _, c := range commands {
		set(t, l, c[1], c[2], c[3])
	}
}

func set(t *testing.T, l *Log, topic, setting, value string) {
	t.Helper()
	answers, err := l.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: setting, Value: &value}}, topic)
	if err != nil || len(answers) != 1 || answers[0].Err != nil {
		t.Fatal(answers, err)
	}
}

func TestCheckOfTopics(t *testing.T) {
	t.Parallel()
	l := open(t, config(cluster(t, kfake.NumBrokers(3))))
	made := func(t *testing.T, name string, copies int16) Subjects {
		t.Helper()
		l.cfg.Topics.ReplicationFactor = copies
		if _, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: name, Compact: true}); err != nil {
			t.Fatal(err)
		}
		return Subjects{Topics: []string{name}, Now: time.Now()}
	}
	t.Run("K02 fewer than three copies", func(t *testing.T) {
		s := made(t, "thin", 1)
		if got := checked(t, l, s, codeReplication); len(got) != 1 || got[0].Severity != pipeline.Warns || got[0].Where != "thin" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("K02 one broker acknowledges for all", func(t *testing.T) {
		s := made(t, "weak", 3)
		got := checked(t, l, s, codeReplication)
		if len(got) != 1 || got[0].Severity != pipeline.Warns {
			t.Fatalf("got %v", got)
		}
		alter(t, l, got[0].Mend)
		if left := checked(t, l, s, codeReplication); len(left) > 0 {
			t.Errorf("not mended: %v", left)
		}
	})
	t.Run("K02 nobody can acknowledge", func(t *testing.T) {
		s := made(t, "never", 1)
		set(t, l, "never", "min.insync.replicas", "2")
		got := checked(t, l, s, codeReplication)
		if len(got) != 1 || got[0].Severity != pipeline.Fails {
			t.Fatalf("got %v", got)
		}
		alter(t, l, got[0].Mend)
		if left := checked(t, l, s, codeReplication); len(left) != 1 || left[0].Severity != pipeline.Warns {
			t.Errorf("not mended: %v", left)
		}
	})
	t.Run("K19 unclean election", func(t *testing.T) {
		s := made(t, "unclean", 3)
		set(t, l, "unclean", "unclean.leader.election.enable", "true")
		got := checked(t, l, s, codeUnclean)
		if len(got) != 1 || got[0].Severity != pipeline.Warns {
			t.Fatalf("got %v", got)
		}
		alter(t, l, got[0].Mend)
		if left := checked(t, l, s, codeUnclean); len(left) > 0 {
			t.Errorf("not mended: %v", left)
		}
	})
	t.Run("records from the future show a clock that is ahead", func(t *testing.T) {
		s := made(t, "stamped", 3)
		w, err := l.Writer(t.Context(), "w")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.Append(t.Context(), log.Record{TopicPartition: log.TopicPartition{Topic: "stamped"}, Key: []byte("k"), Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if got := checked(t, l, s, codeClock); len(got) > 0 {
			t.Errorf("clocks agree: %v", got)
		}
		s.Now = time.Now().Add(-time.Minute)
		if got := checked(t, l, s, codeClock); len(got) != 1 || got[0].Severity != pipeline.Warns {
			t.Errorf("a minute ahead: %v", got)
		}
	})
}

func TestCheckOfCluster(t *testing.T) {
	t.Parallel()
	t.Run("K08 timeouts that brokers do not allow", func(t *testing.T) {
		cfg := config(cluster(t, kfake.BrokerConfigs(map[string]string{"transaction.max.timeout.ms": "5000", "group.min.session.timeout.ms": "1000", "group.max.session.timeout.ms": "5000"})))
		cfg.Topics.ReplicationFactor = 1
		l := open(t, cfg)
		if got := checked(t, l, Subjects{}, codeTimeout); len(got) != 1 || got[0].Severity != pipeline.Fails {
			t.Errorf("transactions: %v", got)
		}
		if got := checked(t, l, Subjects{}, codeConfig); len(got) != 1 || got[0].Mend != "session_timeout: 5s" {
			t.Errorf("sessions: %v", got)
		}
		cfg.TransactionTimeout, cfg.SessionTimeout = 5*time.Second, 5*time.Second
		for _, f := range open(t, cfg).Check(t.Context(), Subjects{}) {
			if f.Severity == pipeline.Fails {
				t.Errorf("not mended: %v", f)
			}
		}
	})
	t.Run("K06 a cluster that does not fence late ends", func(t *testing.T) {
		l := open(t, config(cluster(t, kfake.MaxVersions(kversion.V3_8_0()))))
		got := checked(t, l, Subjects{}, codeTransactionVersion)
		if len(got) != 1 || got[0].Severity != pipeline.Warns || !strings.HasSuffix(got[0].Mend, "upgrade --feature transaction.version=2") {
			t.Errorf("got %v", got)
		}
	})
}
