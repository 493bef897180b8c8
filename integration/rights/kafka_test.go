//go:build unix

package rights

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

// A cluster asks who one is, and denies what is not allowed.
type cluster struct {
	brokers []string
	admin   *kadm.Client                       // may everything
	tool    func(t *testing.T, args ...string) // kafka-acls.sh
	ran     map[string]bool                    // the resources of which the tool has given a right
}

const (
	user   = "capturer" // may what it is given
	secret = "canary-acl"
)

func newCluster(t *testing.T, brokers ...string) *cluster {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.SASL(plain.Auth{User: "admin", Pass: "boss"}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &cluster{brokers: brokers, admin: kadm.NewClient(cl), ran: map[string]bool{}}
}

// An entry is one line of `evert check --acls -o json`.
type entry struct {
	Resource, Name, Pattern, Operation, Command string
}

func (e entry) String() string {
	return strings.TrimSpace(e.Operation + " of " + e.Resource + " " + e.Name)
}

// builder says the entry in the client's words.
func (e entry) builder(t *testing.T, b *kadm.ACLBuilder) *kadm.ACLBuilder {
	t.Helper()
	op, err := kmsg.ParseACLOperation(e.Operation)
	if err != nil {
		t.Fatal(err)
	}
	pattern := kadm.ACLPatternLiteral
	if e.Pattern == "prefixed" {
		pattern = kadm.ACLPatternPrefixed
	}
	b = b.ResourcePatternType(pattern).Operations(op)
	switch e.Resource {
	case "topic":
		return b.Topics(e.Name)
	case "group":
		return b.Groups(e.Name)
	case "transactional-id":
		return b.TransactionalIDs(e.Name)
	}
	return b.Clusters()
}

// give gives an entry: the first of each kind of resource by the command that was
// printed, the others as quickly as can be.
func (c *cluster) give(t *testing.T, e entry) {
	t.Helper()
	defer c.seen(t, e, 1)
	if !c.ran[e.Resource] {
		c.ran[e.Resource] = true
		c.tool(t, words(t, e.Command)...)
		return
	}
	made, err := c.admin.CreateACLs(t.Context(), e.builder(t, kadm.NewACLs().Allow("User:"+user).AllowHosts("*")))
	for _, m := range made {
		if err == nil {
			err = m.Err
		}
	}
	if err != nil || len(made) != 1 {
		t.Fatalf("give %s: %d made, %v", e, len(made), err)
	}
}

// seen waits until the brokers know as many such entries.
func (c *cluster) seen(t *testing.T, e entry, want int) {
	t.Helper()
	for began := time.Now(); ; {
		all, err := c.admin.DescribeACLs(t.Context(), e.builder(t, kadm.NewACLs().Allow("User:"+user).AllowHosts("*")))
		n := 0
		for _, some := range all {
			n += len(some.Described)
		}
		if err == nil && n == want {
			return
		}
		if time.Since(began) > harness.Patience {
			t.Fatalf("%d entries like %s, want %d; %v", n, e, want, err)
		}
		<-time.After(5 * time.Millisecond) // the period of asking
	}
}

// words takes a printed command apart as a shell does, without its name.
func words(t *testing.T, command string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s\\n' "+strings.TrimPrefix(command, "kafka-acls.sh ")).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

func (c *cluster) take(t *testing.T, e entry) {
	t.Helper()
	defer c.seen(t, e, 0)
	gone, err := c.admin.DeleteACLs(t.Context(), e.builder(t, kadm.NewACLs().Allow("User:"+user).AllowHosts("*")))
	deleted := 0
	for _, g := range gone {
		deleted += len(g.Deleted)
		if err == nil {
			err = g.Err
		}
	}
	if err != nil || deleted != 1 {
		t.Fatalf("take %s: %d deleted, %v", e, deleted, err)
	}
}

// empty deletes all topics, so that they have to be made.
func (c *cluster) empty(t *testing.T) {
	t.Helper()
	topics, err := c.admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.admin.DeleteTopics(t.Context(), topics.Names()...); err != nil {
		t.Fatal(err)
	}
}

// aclFile is a deployment on a cluster.
func aclFile(c *cluster, source string, data string) string {
	return fmt.Sprintf(`name: acl
data_dir: %s
kafka:
  brokers: [%s]
  insecure: true
  session_timeout: 6s
  sasl: {mechanism: plain, username: %s, password: %s}
  topics: {replication_factor: 1}
sources: {shop: {commit_interval: 10ms, reconnect_max: 1s, postgres: {url: %q, tables: [public.*]}}}
serve: {http: none}
`, data, strings.Join(c.brokers, ", "), user, secret, source)
}

// TestLeastRightsOnKafka asks Apache Kafka itself, with its own authorizer; and its own
// tool takes what is printed.
func TestLeastRightsOnKafka(t *testing.T) {
	t.Parallel()
	brokers := kafkatest.Start(t, kafkaserver.Options{
		Config: map[string]string{
			"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"super.users":           "User:admin;User:ANONYMOUS", // the brokers among themselves
		},
		Listeners: []kafkaserver.Listener{{Name: "ASKING", Protocol: "SASL_PLAINTEXT", Config: map[string]string{
			"sasl.enabled.mechanisms": "PLAIN",
			"plain.sasl.jaas.config":  fmt.Sprintf(`org.apache.kafka.common.security.plain.PlainLoginModule required user_admin="boss" user_%s="%s";`, user, secret),
		}}},
	})
	c := newCluster(t, brokers.Addresses("ASKING")...)
	config := filepath.Join(t.TempDir(), "admin.properties")
	login := "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"admin\" password=\"boss\";\n"
	if err := os.WriteFile(config, []byte(login), 0o600); err != nil {
		t.Fatal(err)
	}
	distribution := kafkatest.Distribution(t)
	c.tool = func(t *testing.T, args ...string) {
		t.Helper()
		args = append(args, "--command-config", config)
		if out, err := distribution.Command(t.Context(), "org.apache.kafka.tools.AclCommand", args...).CombinedOutput(); err != nil {
			t.Fatalf("kafka-acls.sh %q: %v\n%s", args, err, out)
		}
	}
	proveRights(t, c)
}

// proveRights gives a user what `evert check --acls` prints, and takes each entry
// away (X06).
func proveRights(t *testing.T, c *cluster) {
	source := pg.Database(t)
	d := newDeployment(t, aclFile(c, source, "./data"))
	var entries []entry
	if err := json.Unmarshal([]byte(d.works("check", "--acls", "-o", "json")), &entries); err != nil || len(entries) != 18 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		c.give(t, e)
	}
	execute(t, source, "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'one')")
	t.Run("X06 everything works with exactly the list", func(t *testing.T) { everything(t, c, d, source) })
	t.Run("X06 readers of others are seen with the list, and missed without", func(t *testing.T) { readersAreSeen(t, c, entries) })
	for _, e := range entries {
		t.Run("X06 without "+e.String(), func(t *testing.T) { (&deployment{t, d.dir}).without(c, e, entries) })
	}
}

// readersAreSeen has a group of somebody else read the table's topic, and looks
// for it with and without the right to see such groups.
func readersAreSeen(t *testing.T, c *cluster, entries []entry) {
	const topic, group = "shop.public.t", "search"
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 1, LeaderEpoch: -1})
	if committed, err := c.admin.CommitOffsets(t.Context(), group, offsets); err != nil || committed.Error() != nil {
		t.Fatal(err, committed.Error())
	}
	l, err := kafka.Open(t.Context(), kafka.Config{Brokers: c.brokers, Deployment: "acl", Topics: kafka.Topics{Manage: kafka.Never},
		SASL: &kafka.SASL{Mechanism: "plain", Credentials: func(context.Context) (string, string, error) { return user, secret, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seen := func() (bool, error) {
		groups, err := l.Groups(t.Context(), topic)
		return groups[group][log.TopicPartition{Topic: topic}] == 1, err
	}
	if yes, err := seen(); !yes || err != nil {
		t.Errorf("with the whole list the group is seen: %t, %v", yes, err)
	}
	i := slices.IndexFunc(entries, func(e entry) bool { return e.Resource == "group" && e.Name == "*" })
	c.take(t, entries[i])
	if yes, err := seen(); yes || pipeline.CodeOf(err) != "KAFKA_DENIED" || !strings.Contains(err.Error(), entries[i].Command) {
		t.Errorf("without %s the group is seen: %t, %v", entries[i], yes, err)
	}
	c.give(t, entries[i])
}

// everything goes through a deployment's life.
func everything(t *testing.T, c *cluster, d *deployment, source string) {
	d = &deployment{t, d.dir}
	if found := errorsOf(d.check()); len(found) > 0 {
		t.Errorf("a check finds:\n%s", show(found))
	}
	d.works("run", "--until-caught-up")
	execute(t, source, "UPDATE t SET v = 'restarted'")
	d.works("run", "--until-caught-up")
	if out := d.works("tail", "public.t", "--until-end", "-o", "json"); !strings.Contains(out, "restarted") {
		t.Errorf("the change is not in the topic:\n%s", out)
	}
	d.works("status")
	takeOver(t, c, d, source)
	d.works("reset", "shop", "--resnapshot", "--yes")
	d.works("run", "--until-caught-up")
	d.works("reset", "shop", "--yes")
	d.works("run", "--until-caught-up")
	for _, f := range d.check() {
		if strings.HasPrefix(string(f.Code), "KAFKA_DENIED") {
			t.Errorf("a check is denied something:\n%s", show([]finding{f}))
		}
	}
}

// takeOver kills the daemon that captures while another stands by.
func takeOver(t *testing.T, c *cluster, d *deployment, source string) {
	first := d.start("evert.yaml")
	await(t, first, "streaming")
	d.write("second.yaml", aclFile(c, source, "./second"))
	second := d.start("second.yaml")
	await(t, second, "started")
	first.Kill()
	await(t, second, "streaming")
	execute(t, source, "UPDATE t SET v = 'taken over'")
	harness.Until(t, "the change arrives", func() bool {
		out, _ := d.evert("tail", "public.t", "--until-end", "-o", "json", "-c", "second.yaml")
		return strings.Contains(out, "taken over")
	})
	second.Kill()
}

func (d *deployment) start(file string) *harness.Process {
	d.Helper()
	return harness.Start(d, harness.Launch{Path: "/bin/sh", Args: []string{"-c", "cd '" + d.dir + "' && exec " + suite.Evert(d) + " run -c " + file}})
}

func await(t *testing.T, p *harness.Process, message string) {
	t.Helper()
	p.Await(t, message, func(line string) bool { return strings.Contains(line, `"msg":"`+message+`"`) })
}

// without takes an entry away. Something has to fail with KAFKA_DENIED, and name
// just that entry; with the entry back, the deployment goes on.
func (d *deployment) without(c *cluster, e entry, all []entry) {
	d.works("reset", "shop", "--yes")
	c.empty(d.T)
	if err := os.RemoveAll(filepath.Join(d.dir, "data")); err != nil {
		d.Fatal(err)
	}
	c.take(d.T, e)
	said := ""
	for _, verb := range [][]string{{"check", "--connect"}, {"run", "--until-caught-up"}, {"tail", "public.t", "--until-end"}, {"reset", "shop", "--yes"}} {
		out, exit := d.evert(verb...)
		if denied := strings.Contains(out, "[KAFKA_DENIED]"); denied && exit != deniedExit(verb[0], exit) {
			d.Errorf("evert %v was denied something, and its exit code is %d:\n%s", verb, exit, out)
		}
		if said += out; strings.Contains(out, "[KAFKA_DENIED]") {
			break
		}
	}
	if !strings.Contains(said, "[KAFKA_DENIED]") || !strings.Contains(said, "mend: "+e.Command) {
		d.Errorf("no refusal names it:\n  %s\nbut:\n%s", e.Command, said)
	}
	for _, other := range all {
		if other != e && strings.Contains(said, other.Command+"\n") {
			d.Errorf("a refusal names another entry:\n  %s\n%s", other.Command, said)
		}
	}
	c.give(d.T, e)
	d.works("reset", "shop", "--yes") // one that was refused half-way is done again
	d.works("run", "--until-caught-up")
}

// deniedExit is the exit code of a verb that was denied something. A check may
// only warn of it.
func deniedExit(verb string, exit int) int {
	switch {
	case verb == "run", verb == "check" && exit != 0:
		return 3
	case verb == "check":
		return 0
	}
	return 1
}

func execute(t *testing.T, source string, sql ...string) {
	t.Helper()
	u, err := url.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := pg.Server(t).Exec(context.Background(), strings.TrimPrefix(u.Path, "/"), sql...); err != nil {
		t.Fatal(err)
	}
}
