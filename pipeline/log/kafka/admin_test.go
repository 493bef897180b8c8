package kafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
)

// A topic that differs is refused in words that name all of it, and the command
// that mends it. Running the command ends in agreement.
func TestDrift(t *testing.T) {
	spec := log.TopicSpec{Name: "t", Partitions: 2, Compact: true, MaxBytes: 4 << 20}
	made := map[string]string{
		"cleanup.policy": "compact", "min.compaction.lag.ms": "3600000", "delete.retention.ms": "604800000",
		"message.timestamp.type": "LogAppendTime", "max.message.bytes": "4194304",
	}
	for name, c := range map[string]struct {
		set  map[string]string
		code pipeline.Code
		want string
	}{
		"K18 deletion by age":   {map[string]string{"cleanup.policy": "compact,delete"}, log.RefusePolicy, "t: the topic has cleanup.policy=compact,delete, wanted is compact [TOPIC_POLICY]"},
		"K18 time of the rows":  {map[string]string{"message.timestamp.type": "CreateTime"}, log.RefuseSettings, "t: the topic has message.timestamp.type=CreateTime, wanted is LogAppendTime [TOPIC_SETTINGS]"},
		"K17 short tombstones":  {map[string]string{"delete.retention.ms": "86400000"}, log.RefuseSettings, "t: the topic has delete.retention.ms=86400000, wanted is 604800000 [TOPIC_SETTINGS]"},
		"K16 short lag":         {map[string]string{"min.compaction.lag.ms": "0"}, log.RefuseSettings, "t: the topic has min.compaction.lag.ms=0, wanted is 3600000 [TOPIC_SETTINGS]"},
		"K03 small records":     {map[string]string{"max.message.bytes": "1048588"}, log.RefuseSettings, "t: the topic has max.message.bytes=1048588, wanted is 4194304 [TOPIC_SETTINGS]"},
		"more is as good":       {map[string]string{"min.compaction.lag.ms": "7200000", "delete.retention.ms": "9223372036854775807"}, "", ""},
		"settings of one's own": {map[string]string{"min.insync.replicas": "2", "segment.ms": "60000"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, config(cluster(t)))
			configs := map[string]*string{}
			for _, m := range []map[string]string{made, c.set} {
				for k, v := range m {
					configs[k] = kadm.StringPtr(v)
				}
			}
			if _, err := l.admin.CreateTopic(t.Context(), 2, -1, configs, "t"); err != nil {
				t.Fatal(err)
			}
			_, err := l.Admin().Ensure(t.Context(), spec)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			same(t, pipeline.CodeOf(err), c.code)
			what, mend, _ := strings.Cut(err.Error(), "\n  mend: ")
			same(t, what, c.want)
			run(t, l, mend)
			if _, err := l.Admin().Ensure(t.Context(), spec); err != nil {
				t.Fatalf("after the mend: %v", err)
			}
		})
	}
}

// run does what kafka-configs.sh and kafka-topics.sh would do.
func run(t *testing.T, l *Log, command string) {
	t.Helper()
	words := strings.Fields(command)
	same(t, words[1]+" "+words[2], "--bootstrap-server "+l.cfg.Brokers[0])
	args := map[string]string{}
	for i, w := range words[:len(words)-1] {
		if strings.HasPrefix(w, "--") {
			args[w] = words[i+1]
		}
	}
	switch words[0] {
	case "kafka-configs.sh":
		k, v, _ := strings.Cut(args["--add-config"], "=")
		_, err := l.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: k, Value: &v}}, args["--entity-name"])
		if err != nil {
			t.Fatal(err)
		}
	case "kafka-topics.sh":
		configs := map[string]*string{}
		for i, w := range words {
			if w == "--config" {
				k, v, _ := strings.Cut(words[i+1], "=")
				configs[k] = &v
			}
		}
		if args["--partitions"] != "2" {
			t.Fatalf("cannot run %s", command)
		}
		if _, err := l.admin.CreateTopic(t.Context(), 2, -1, configs, args["--topic"]); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("cannot run %s", command)
	}
}

func TestManage(t *testing.T) {
	c := cluster(t)
	cfg := config(c)
	cfg.Topics.Settings = map[string]string{"min.insync.replicas": "1", "segment.ms": "60000"}
	creating := open(t, cfg)
	spec := log.TopicSpec{Name: "t", Partitions: 2, Compact: true}

	t.Run("K15 verify makes nothing and prints what would", func(t *testing.T) {
		cfg := cfg
		cfg.Topics.Manage = Verify
		l := open(t, cfg)
		_, err := l.Admin().Ensure(t.Context(), spec)
		same(t, pipeline.CodeOf(err), log.RefuseMissing)
		_, mend, _ := strings.Cut(err.Error(), "\n  mend: ")
		run(t, l, mend)
		if _, err := open(t, cfg).Admin().Ensure(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("never looks at identity and partitions alone", func(t *testing.T) {
		cfg := cfg
		cfg.Topics.Manage = Never
		if _, err := creating.admin.CreateTopic(t.Context(), 2, -1, nil, "plain"); err != nil {
			t.Fatal(err)
		}
		l := open(t, cfg)
		if _, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: "plain", Partitions: 2, Compact: true}); err != nil {
			t.Fatal(err)
		}
		_, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: "plain", Partitions: 3, Compact: true})
		same(t, pipeline.CodeOf(err), log.RefusePartitions)
	})
	t.Run("create adds the user's settings", func(t *testing.T) {
		infos, err := creating.Admin().Ensure(t.Context(), log.TopicSpec{Name: "mine", Compact: true, Settings: map[string]string{"segment.ms": "1000"}})
		if err != nil {
			t.Fatal(err)
		}
		same(t, infos[0].Settings["segment.ms"], "1000")
		same(t, infos[0].Settings["min.insync.replicas"], "1")
	})
	t.Run("K18 a fixed setting is refused before anything is done", func(t *testing.T) {
		cfg := cfg
		cfg.Topics.Settings = map[string]string{"cleanup.policy": "delete"}
		_, err := Open(t.Context(), cfg)
		same(t, pipeline.CodeOf(err), codeConfig)
	})
	t.Run("Compact says that Kafka knows no such thing", func(t *testing.T) {
		wantErr(t, creating.Admin().Compact(t.Context(), "t"), errors.ErrUnsupported)
	})
}

func TestSound(t *testing.T) {
	l := open(t, config(cluster(t)))
	topic(t, l, "t", 1) // the lag is an hour
	w := writer(t, l, "w")
	put(t, w, rec(part0("t"), "a", "1"))
	stable := ends(t, l, part0("t")).Stable
	cut := log.Offsets{part0("t"): stable}
	same(t, stable, 2) // a record and a marker
	for _, c := range []struct {
		name string
		cut  log.Offsets
		age  time.Duration
		want bool
	}{
		{"K16 old, but the present end", cut, 100 * time.Hour, true},
		{"K16 old, and only the marker of its own commit behind it", log.Offsets{part0("t"): 1}, 1000 * time.Hour, true},
		{"K16 younger than 0.8 of the lag", log.Offsets{part0("t"): 0}, 47 * time.Minute, true},
		{"K16 older, with a record behind it", log.Offsets{part0("t"): 0}, 49 * time.Minute, false},
		{"K19 old, and behind the end", log.Offsets{part0("t"): 9}, 100 * time.Hour, false},
		{"nothing", nil, 100 * time.Hour, true},
	} {
		got, err := l.Admin().Sound(t.Context(), c.cut, time.Now().Add(-c.age))
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	if err := w.Append(t.Context(), rec(part0("t"), "b", "dropped")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]bool{100 * time.Hour: true, 150 * time.Hour: false} { // tombstones stay for 168 h
		got, err := l.Admin().Sound(t.Context(), log.Offsets{part0("t"): 1}, time.Now().Add(-age))
		if err != nil || got != want {
			t.Errorf("K17 %s old, with an aborted record behind it: %v, %v", age, got, err)
		}
	}
	_, err := l.Admin().Sound(t.Context(), log.Offsets{part0("none"): 1}, time.Now())
	wantErr(t, err, log.ErrNoTopic)
}

// K16 K17 a topic that others manage, and that is compacted and deleted by age, is one
// whose records are superseded.
func TestCompactedToo(t *testing.T) {
	t.Parallel()
	cfg := config(cluster(t))
	cfg.Topics.Manage = Never
	l := open(t, cfg)
	policy := "compact,delete"
	if _, err := l.admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &policy, "message.timestamp.type": new("LogAppendTime")}, "both"); err != nil {
		t.Fatal(err)
	}
	tp := log.TopicPartition{Topic: "both"}
	w := writer(t, l, "w")
	put(t, w, rec(tp, "a", "1"), rec(tp, "a", "2"))
	if sound, err := l.Admin().Sound(t.Context(), log.Offsets{tp: 1}, time.Unix(0, 0)); sound || err != nil {
		t.Errorf("a cut below a newer record is sound: %v, %v", sound, err)
	}
}
