//go:build unix

package capture_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry/registrytest"
)

// A topic that changes under a running source stops it before the next commit,
// with the code of what happened, on Apache Kafka.
func TestDriftWhileRunning(t *testing.T) {
	for _, c := range []struct {
		name    string
		happens func(t *testing.T, cl *kadm.Client) error
		code    pipeline.Code
	}{
		{"K13 the topic is deleted", func(t *testing.T, cl *kadm.Client) error {
			_, err := cl.DeleteTopic(t.Context(), peopleTopic)
			return err
		}, log.RefuseMissing},
		{"K13 the topic is deleted and made anew", func(t *testing.T, cl *kadm.Client) error {
			if _, err := cl.DeleteTopic(t.Context(), peopleTopic); err != nil {
				return err
			}
			compact, stamp := "compact", "LogAppendTime"
			made, err := cl.CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact, "message.timestamp.type": &stamp}, peopleTopic)
			for err == nil { // the controller has it before the broker tells of it
				var topics kadm.TopicDetails
				if topics, err = cl.ListTopics(t.Context(), peopleTopic); topics[peopleTopic].ID == made.ID {
					break
				}
			}
			return err
		}, log.RefuseReplaced},
		{"K14 the topic is given another partition", func(t *testing.T, cl *kadm.Client) error {
			_, err := cl.CreatePartitions(t.Context(), 1, peopleTopic)
			return err
		}, log.RefusePartitions},
		{"K18 the topic is to delete by age", func(t *testing.T, cl *kadm.Client) error {
			return setTopic(t, cl, "cleanup.policy", "delete")
		}, log.RefusePolicy},
		{"K18 the tombstones are to go at once", func(t *testing.T, cl *kadm.Client) error {
			return setTopic(t, cl, "delete.retention.ms", "1000")
		}, log.RefuseSettings},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(t, apacheKafka(t), &registrytest.InMemory{})
			now := time.Unix(1_000_000, 0)
			s.config.Now = func() time.Time { return now }
			s.open()
			s.write(create(people, person(1, "Ada", "~")))
			s.commit()
			now = now.Add(2 * time.Minute)
			s.write(create(people, person(2, "Bo", "x")))
			s.commit() // compared, and found as it was

			raw, err := kgo.NewClient(kgo.SeedBrokers(real.Cluster(t).Brokers()...))
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			if err := c.happens(t, kadm.NewClient(raw)); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(3 * time.Minute) // a broker hears from the controller when it does
			for err == nil && time.Now().Before(deadline) {
				now = now.Add(2 * time.Minute)
				err = s.sink.Commit(t.Context(), pipeline.Resume{At: s.tx.Position})
			}
			if pipeline.CodeOf(err) != c.code {
				t.Fatalf("got %v, want a refusal %s", err, c.code)
			}
		})
	}
}

func setTopic(t *testing.T, cl *kadm.Client, setting, value string) error {
	answers, err := cl.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: setting, Value: &value}}, peopleTopic)
	if err == nil && len(answers) == 1 {
		err = answers[0].Err
	}
	return err
}
