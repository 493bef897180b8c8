package kafka

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// forbid makes a fake cluster refuse settings when topics are made, as managed
// ones do: each setting in the words given for it, or in none.
func forbid(c *kfake.Cluster, settings map[string]string) {
	c.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.CreateTopicsRequest)
		for i := range req.Topics[0].Configs {
			words, refused := settings[req.Topics[0].Configs[i].Name]
			if !refused {
				continue
			}
			resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
			t := kmsg.NewCreateTopicsResponseTopic()
			t.Topic, t.ErrorCode, t.ErrorMessage = req.Topics[0].Topic, kerr.InvalidConfig.Code, &words
			if words == "" {
				t.ErrorCode = kerr.PolicyViolation.Code
			}
			resp.Topics = append(resp.Topics, t)
			return resp, nil, true
		}
		return nil, nil, false
	})
}

// findings collects what a log finds.
type findings struct {
	mu  sync.Mutex
	all []string
}

func (f *findings) add(r *pipeline.Refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fmt.Sprintf("%s %s", r.Code, r.What))
}

func (f *findings) take() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := strings.Join(f.all, "; ")
	f.all = nil
	return text
}

// TestRefusedSettings makes topics on a cluster that does not take everything:
// what is the user's own is left out and said; what correctness needs is a
// refusal, and no topic is made.
func TestRefusedSettings(t *testing.T) {
	for _, c := range []struct {
		name   string
		forbid map[string]string
		found  string
		code   pipeline.Code
		says   string
	}{
		{name: "nothing refused"},
		{name: "one of the user's own", forbid: map[string]string{"segment.ms": "Config property 'segment.ms' with value '60000' exceeded min limit of '600000'"},
			found: "TOPIC_SETTING_LEFT_OUT the cluster refuses the setting segment.ms=60000, so the topic is made without it"},
		{name: "both, one after the other", forbid: map[string]string{"segment.ms": "no segment.ms here", "min.insync.replicas": "Altering config property 'min.insync.replicas' is disallowed"},
			found: "TOPIC_SETTING_LEFT_OUT the cluster refuses the setting segment.ms=60000, so the topic is made without it; TOPIC_SETTING_LEFT_OUT the cluster refuses the setting min.insync.replicas=1, so the topic is made without it"},
		{name: "a policy without words", forbid: map[string]string{"segment.ms": ""},
			found: "TOPIC_SETTING_LEFT_OUT the cluster refuses the setting max.compaction.lag.ms=604800000, so the topic is made without it; TOPIC_SETTING_LEFT_OUT the cluster refuses the setting max.message.bytes=16777216, so the topic is made without it; TOPIC_SETTING_LEFT_OUT the cluster refuses the setting min.insync.replicas=1, so the topic is made without it; TOPIC_SETTING_LEFT_OUT the cluster refuses the setting segment.ms=60000, so the topic is made without it"},
		{name: "X20 the bound of the lag", forbid: map[string]string{"max.compaction.lag.ms": "no max.compaction.lag.ms here"},
			found: "TOPIC_SETTING_LEFT_OUT the cluster refuses the setting max.compaction.lag.ms=604800000, so the topic is made without it"},
		{name: "K03 a size that nobody asked for", forbid: map[string]string{"max.message.bytes": "Config property 'max.message.bytes' with value '16777216' exceeded max limit of '8388608'"},
			found: "TOPIC_SETTING_LEFT_OUT the cluster refuses the setting max.message.bytes=16777216, so the topic is made without it"},
		{name: "K16 the lag", forbid: map[string]string{"min.compaction.lag.ms": "'min.compaction.lag.ms' exceeded min limit of '21600000'"},
			code: codeNeeded, says: "refuses min.compaction.lag.ms=3600000, which the topic needs"},
		{name: "K18 the policy", forbid: map[string]string{"cleanup.policy": ""}, code: codeNeeded, says: "refuses a setting that the topic needs"},
		{name: "K18 the clock", forbid: map[string]string{"message.timestamp.type": "message.timestamp.type is fixed"}, code: codeNeeded, says: "refuses message.timestamp.type=LogAppendTime"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake, found := cluster(t), &findings{}
			forbid(fake, c.forbid)
			cfg := config(fake)
			cfg.Topics.Settings = map[string]string{"min.insync.replicas": "1", "segment.ms": "60000"}
			cfg.Events.Finding = found.add
			l := open(t, cfg)
			spec := log.TopicSpec{Name: "t", Compact: true}
			triedErr := l.Try(t.Context(), spec)
			triedFound := found.take()
			if infos, err := l.Admin().Topics(t.Context(), "t"); err != nil || len(infos) != 0 {
				t.Fatalf("Try made %v, %v", infos, err)
			}
			_, err := l.Admin().Ensure(t.Context(), spec)
			same(t, pipeline.CodeOf(err), c.code)
			same(t, pipeline.CodeOf(triedErr), c.code)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if c.code == "" {
				same(t, sorted(found.take()), sorted(c.found))
				same(t, sorted(triedFound), sorted(c.found))
			}
			infos, err := l.Admin().Topics(t.Context(), "t")
			if err != nil || (len(infos) == 1) != (c.code == "") {
				t.Errorf("made %v, %v", infos, err)
			}
		})
	}
}

// sorted orders findings: which of two refused settings is met first is the
// cluster's business.
func sorted(text string) string {
	parts := strings.Split(text, "; ")
	set := map[string]bool{}
	for _, p := range parts {
		set[p] = true
	}
	return strings.Join(sortedKeys(set), "; ")
}

// A setting of the user's own that an existing topic has otherwise is found, and
// the command that is printed mends it. With manage: never nobody looks.
func TestFoundDifference(t *testing.T) {
	fake, found := cluster(t), &findings{}
	cfg := config(fake)
	cfg.Events.Finding = found.add
	spec := log.TopicSpec{Name: "t", Compact: true, Settings: map[string]string{"segment.ms": "60000"}}
	open(t, cfg).Admin().Ensure(t.Context(), log.TopicSpec{Name: "t", Compact: true, Settings: map[string]string{"segment.ms": "70000"}})
	for _, manage := range []Manage{Create, Verify, Never} {
		cfg.Topics.Manage = manage
		if _, err := open(t, cfg).Admin().Ensure(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		want := "TOPIC_SETTING_DIFFERS the topic has segment.ms=70000, wanted is 60000"
		if manage == Never {
			want = ""
		}
		same(t, found.take(), want)
	}
	cfg.Topics.Manage = Create
	var mend string
	cfg.Events.Finding = func(r *pipeline.Refusal) { mend = r.Mend }
	l := open(t, cfg)
	ensure := func() {
		if _, err := l.Admin().Ensure(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	ensure()
	run(t, l, mend)
	mend = ""
	ensure()
	same(t, mend, "")
}

// More copies than brokers: a new user's first surprise.
func TestTooFewBrokers(t *testing.T) {
	cfg := config(cluster(t))
	cfg.Topics.ReplicationFactor = 3
	_, err := open(t, cfg).Admin().Ensure(t.Context(), log.TopicSpec{Name: "t", Compact: true})
	same(t, pipeline.CodeOf(err), log.RefuseSpec)
	if !strings.HasSuffix(err.Error(), "mend: kafka: {topics: {replication_factor: 1}}") {
		t.Errorf("got %v", err)
	}
}

// K01 a broker that is away while a topic is made is waited for, and is no refusal: the
// cluster counts the copies it has brokers for at that moment.
func TestBrokersAwayWhileATopicIsMade(t *testing.T) {
	for _, c := range []struct {
		name   string
		copies int16
		away   int // requests that find too few brokers
		code   pipeline.Code
		says   string
	}{
		{name: "the cluster's own number", away: 2},
		{name: "as many as there were", copies: 1, away: 2},
		{name: "for good", away: 1000, code: log.RefuseSpec, says: "makes no topic with its default number of copies of each partition; the number of its brokers is 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := cluster(t)
			var asked atomic.Int32
			fake.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
				fake.KeepControl()
				if int(asked.Add(1)) > c.away {
					return nil, nil, false
				}
				req := r.(*kmsg.CreateTopicsRequest)
				resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
				one := kmsg.NewCreateTopicsResponseTopic()
				one.Topic, one.ErrorCode = req.Topics[0].Topic, kerr.InvalidReplicationFactor.Code
				resp.Topics = append(resp.Topics, one)
				return resp, nil, true
			})
			cfg := config(fake)
			cfg.Topics.ReplicationFactor, cfg.RetryFor = c.copies, time.Second
			if c.code == "" {
				cfg.RetryFor = time.Minute
			}
			_, err := open(t, cfg).Admin().Ensure(t.Context(), log.TopicSpec{Name: "t", Compact: true})
			same(t, pipeline.CodeOf(err), c.code)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if n := int(asked.Load()); n <= min(c.away, 2) {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
