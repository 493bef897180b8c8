//go:build unix

package kafkaserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// A broker keeps over kill -9 what it acknowledged, on the same port.
func TestOneBroker(t *testing.T) {
	t.Parallel()
	c := kafkatest.Start(t, kafkaserver.Options{Config: map[string]string{"message.max.bytes": "1234567"}})
	cl := client(t, c.Brokers())
	create(t, cl, "t", 1)
	produce(t, cl, "t", "before")
	first := c.Node(1).PID()
	c.Node(1).Kill()
	if c.Node(1).Running() || c.Node(1).PID() != 0 {
		t.Fatal("killed, it still runs")
	}
	if err := c.Node(1).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Node(1).PID() == first {
		t.Error("it is the same process")
	}
	produce(t, cl, "t", "after")
	if got := consume(t, cl, "t", 2); got != "before after" {
		t.Errorf("got %q", got)
	}
	configs, err := kadm.NewClient(cl).DescribeBrokerConfigs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range configs[0].Configs {
		if one.Key == "message.max.bytes" && one.MaybeValue() != "1234567" {
			t.Errorf("message.max.bytes is %s", one.MaybeValue())
		}
	}
}

// Of three brokers, which are the controllers too, any one may be away: killed,
// or paused.
func TestThreeBrokers(t *testing.T) {
	c := kafkatest.Start(t, kafkaserver.Options{Brokers: 3})
	cl := client(t, c.Brokers())
	create(t, cl, "t", 1)
	produce(t, cl, "t", "three")
	c.Node(1).Kill()
	produce(t, cl, "t", "two")
	if err := c.Node(1).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitInSync(t, cl, "t", 3)
	c.Node(2).Pause()
	produce(t, cl, "t", "paused")
	c.Node(2).Resume()
	if got := consume(t, cl, "t", 3); got != "three two paused" {
		t.Errorf("got %q", got)
	}
}

// A controller of its own, a listener that asks for a password, a feature that is
// not the default.
func TestOptions(t *testing.T) {
	t.Parallel()
	c := kafkatest.Start(t, kafkaserver.Options{
		Controllers: 1,
		Features:    map[string]int{"transaction.version": 1},
		Users:       []kafkaserver.User{{Name: "evert", Password: "a b=c", Mechanism: "SCRAM-SHA-256"}},
		Listeners: []kafkaserver.Listener{{Name: "SECURE", Protocol: "SASL_PLAINTEXT", Config: map[string]string{
			"sasl.enabled.mechanisms":        "SCRAM-SHA-256",
			"scram-sha-256.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
		}}},
	})
	if len(c.Nodes()) != 2 || c.Node(101) == nil {
		t.Fatalf("there are %d nodes", len(c.Nodes()))
	}
	ask := func(password string) error {
		cl := client(t, c.Addresses("SECURE"), kgo.SASL(scram.Auth{User: "evert", Pass: password}.AsSha256Mechanism()), kgo.RequestRetries(0))
		_, err := kadm.NewClient(cl).ListTopics(t.Context())
		return err
	}
	if err := ask("a b=c"); err != nil {
		t.Error(err)
	}
	if err := ask("wrong"); err == nil {
		t.Error("any password will do")
	}
	out, err := kafkatest.Distribution(t).Command(t.Context(), "org.apache.kafka.tools.FeatureCommand",
		"--bootstrap-server", c.Brokers()[0], "describe").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "transaction.version") {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "transaction.version") && !strings.Contains(line, "FinalizedVersionLevel: 1") {
			t.Error(line)
		}
	}
}

// A cluster that is kept is started again, on other ports and with what it held.
func TestKeptDirectory(t *testing.T) {
	t.Parallel()
	o := kafkaserver.Options{Dir: t.TempDir()}
	c := kafkatest.Start(t, o)
	cl := client(t, c.Brokers())
	create(t, cl, "t", 1)
	produce(t, cl, "t", "kept")
	if err := c.Node(1).Stop(); err != nil {
		t.Fatal(err)
	}
	again := kafkatest.Start(t, o)
	if got := consume(t, client(t, again.Brokers()), "t", 1); got != "kept" {
		t.Errorf("got %q", got)
	}
}

func TestStartThatCannot(t *testing.T) {
	t.Parallel()
	_, err := kafkaserver.Start(t.Context(), kafkatest.Distribution(t), kafkaserver.Options{Config: map[string]string{"log.cleaner.threads": "none"}})
	if err == nil || !strings.Contains(err.Error(), "log.cleaner.threads") {
		t.Errorf("got %v", err)
	}
}

// What a killed test process started dies with it. The process is this binary,
// run as its own child.
func TestDiesWithUs(t *testing.T) {
	const role = "EVERT_KAFKASERVER_ROLE"
	if os.Getenv(role) == "parent" {
		c := kafkatest.Start(t, kafkaserver.Options{})
		fmt.Printf("pid %d\n", c.Node(1).PID())
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	t.Parallel()
	kafkatest.Distribution(t)
	parent := exec.Command(os.Args[0], "-test.run=^TestDiesWithUs$", "-test.timeout=3m")
	parent.Env = append(os.Environ(), role+"=parent")
	if _, err := parent.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			pid, _ = strconv.Atoi(text)
		}
	}
	_ = parent.Process.Kill()
	_ = parent.Wait()
	if pid == 0 {
		t.Fatal("the parent told no pid")
	}
	wait(t, "the broker to end", func() bool { return !alive(pid) })
}

// alive: a zombie that nobody has waited for yet counts as dead.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func client(t *testing.T, brokers []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	impatient := []kgo.Opt{kgo.SeedBrokers(brokers...), kgo.RequestTimeoutOverhead(2 * time.Second), kgo.ProduceRequestTimeout(time.Second)}
	cl, err := kgo.NewClient(append(impatient, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func create(t *testing.T, cl *kgo.Client, topic string, partitions int32) {
	t.Helper()
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), partitions, -1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

func produce(t *testing.T, cl *kgo.Client, topic, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume reads so many values from the start of partition 0.
func consume(t *testing.T, cl *kgo.Client, topic string, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}})
	var values []string
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("got %v: %v", values, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return strings.Join(values, " ")
}

func awaitInSync(t *testing.T, cl *kgo.Client, topic string, n int) {
	t.Helper()
	wait(t, fmt.Sprintf("%d replicas in sync", n), func() bool {
		topics, err := kadm.NewClient(cl).ListTopics(t.Context(), topic)
		return err == nil && len(topics[topic].Partitions[0].ISR) == n
	})
}

// wait looks again and again until it is so.
func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
