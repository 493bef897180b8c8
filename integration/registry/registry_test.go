//go:build unix

package registry

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var suite harness.Suite

// apache is the cluster of the tests that break none.
var apache kafkatest.Shared

// pg is the server whose tables are altered.
var pg pgtest.Shared

func TestMain(m *testing.M) {
	code := pg.Run(m)
	suite.Close()
	os.Exit(max(code, apache.Close()))
}

// A place is what a daemon keeps and shares: its directory, its deployment, and
// the cluster that its log is on, if it is not the embedded one.
type place struct{ dir, name, kafka string }

var deployments atomic.Int64

// deployment is a name that no other test has on the shared cluster.
func deployment(name string) string { return fmt.Sprint(name, deployments.Add(1)) }

const token = "sesame-of-the-registry"

// served is a daemon whose registry is asked. Its source has no server: what it
// serves does not wait for that.
type served struct {
	*harness.Process
	url, health string
}

func serve(t *testing.T, at place) served {
	t.Helper()
	file := filepath.Join(at.dir, "evert.yaml")
	yaml := fmt.Sprintf("name: %s\ndata_dir: %s\nserve: {http: none, health: \"127.0.0.1:0\", registry: \"127.0.0.1:0\", token: %s}\n", at.name, filepath.Join(at.dir, "data"), token)
	if at.kafka != "" {
		yaml += fmt.Sprintf("kafka: {brokers: [%q], session_timeout: 2s, topics: {replication_factor: 1}}\n", at.kafka)
	}
	yaml += "sources: {shop: {postgres: {url: \"postgres://evert@127.0.0.1:1/shop\", tables: [public.orders]}}}\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, harness.Launch{Path: suite.Evert(t), Args: []string{"run", "-c", file}})
	return served{p, address(t, p, "registry"), address(t, p, "health")}
}

// address is where a daemon listens.
func address(t *testing.T, p *harness.Process, name string) string {
	t.Helper()
	line := p.Await(t, "the address of "+name, func(line string) bool {
		return strings.Contains(line, "listening") && strings.Contains(line, `"`+name+`"`)
	})
	_, at, ok := strings.Cut(line, "http://")
	if !ok {
		t.Fatalf("no address in %s", line)
	}
	return "http://" + strings.TrimRight(at, "\"} \n")
}

// metric gives the value of a metric as /metrics writes it.
func (s served) metric(t *testing.T, name string) string {
	t.Helper()
	resp, err := http.Get(s.health + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "absent"
}

func (s served) client(t *testing.T) *sr.Client {
	t.Helper()
	waits := &http.Client{Timeout: harness.Patience} // for a daemon that is paused, or takes over
	c, err := sr.NewClient(sr.URLs(s.url), sr.BearerToken(token), sr.HTTPClient(waits))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClients: one registry, three clients, none of them changed; on each log, and
// again after daemon and cluster were killed and started anew.
func TestClients(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		clients(t, place{dir: t.TempDir(), name: "shop"}, func() {})
	})
	t.Run("Apache Kafka", func(t *testing.T) {
		t.Parallel()
		cluster := kafkatest.Start(t, kafkaserver.Options{})
		clients(t, place{t.TempDir(), "shop", cluster.Brokers()[0]}, func() {
			cluster.Node(1).Kill()
			if err := cluster.Node(1).Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// clients has every client use the registry, starts all of it anew, and has them
// use it again.
func clients(t *testing.T, at place, restart func()) {
	s := serve(t, at)
	useAll(t, s, "before")
	told := content(t, s)
	if len(told) == 0 {
		t.Fatal("the clients left nothing behind")
	}
	s.Kill()
	restart()
	s = serve(t, at)
	if now := content(t, s); !maps.Equal(now, told) {
		t.Errorf("after the restart there is\n%v\nand there was\n%v", now, told)
	}
	useAll(t, s, "after")
	counts(t, s)
}

// counts looks at what the daemon says of its registry.
func counts(t *testing.T, s served) {
	t.Helper()
	highest := 0
	all, err := s.client(t).AllSchemas(sr.WithParams(t.Context(), sr.ShowDeleted))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		highest = max(highest, v.ID)
	}
	if last, err := strconv.Atoi(s.metric(t, "evert_registry_last_id")); err != nil || last < highest {
		t.Errorf("the last id is %d, %v; there is %d", last, err, highest)
	}
	for _, series := range []string{`class="2xx",route="POST /subjects/{subject}/versions"`, `class="4xx",route="POST /subjects/{subject}/versions"`, `class="4xx",route="refused"`} {
		if n := s.metric(t, "evert_registry_requests_total{"+series+"}"); n == "absent" || n == "0" {
			t.Errorf("requests with %s: %s", series, n)
		}
	}
}

// useAll has every client use the registry, each below subjects of its own.
func useAll(t *testing.T, s served, prefix string) {
	t.Run(prefix, func(t *testing.T) {
		t.Run("franz-go", func(t *testing.T) { t.Parallel(); franz(t, s.client(t), prefix) })
		t.Run("confluent-kafka for Python", func(t *testing.T) {
			t.Parallel()
			run(t, nil, python(t), "testdata/client.py", s.url, token, prefix)
		})
		t.Run("@kafkajs/confluent-schema-registry", func(t *testing.T) {
			t.Parallel()
			run(t, []string{"NODE_PATH=" + nodeModules(t)}, "node", "testdata/client.js", s.url, token, prefix)
		})
		t.Run("nobody without the token", func(t *testing.T) {
			resp, err := http.Get(s.url + "/subjects")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("answered %s", resp.Status)
			}
		})
	})
}

// content is all that a registry has, deleted versions included: subject, number
// and id, and the schema's text.
func content(t *testing.T, s served) map[string]string {
	t.Helper()
	all, err := s.client(t).AllSchemas(sr.WithParams(t.Context(), sr.ShowDeleted))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, v := range all {
		said[fmt.Sprintf("%s %d is id %d", v.Subject, v.Version, v.ID)] = v.Schema.Schema
	}
	return said
}

func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}

func order(fields ...string) sr.Schema { return orderOf("go", fields...) }

func orderOf(namespace string, fields ...string) sr.Schema {
	text := fmt.Sprintf(`{"type":"record","name":"Order","namespace":%q,"fields":[{"name":"id","type":"long"}`, namespace)
	for _, f := range fields {
		text += fmt.Sprintf(`,{"name":%q,"type":["null","long"],"default":null}`, f)
	}
	return sr.Schema{Schema: text + "]}", Type: sr.TypeAvro}
}

func franz(t *testing.T, c *sr.Client, prefix string) {
	ctx, subject := t.Context(), prefix+".go.orders-value"
	order := func(fields ...string) sr.Schema { return orderOf(prefix, fields...) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	first, err := c.CreateSchema(ctx, subject, order())
	must(err)
	second, err := c.CreateSchema(ctx, subject, order("a"))
	must(err)
	if second.Version != 2 || second.ID == first.ID {
		t.Errorf("second is %+v after %+v", second, first)
	}
	if again, err := c.LookupSchema(ctx, subject, order()); err != nil || again.ID != first.ID {
		t.Errorf("lookup gives %+v, %v", again, err)
	}
	checked, err := c.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), subject, -1, sr.Schema{Schema: `"string"`})
	if must(err); checked.Is || len(checked.Messages) == 0 {
		t.Errorf("compatibility is %+v", checked)
	}
	for _, r := range c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, subject) {
		must(r.Err)
	}
	if got := c.Compatibility(ctx, subject); got[0].Err != nil || got[0].Level != sr.CompatFullTransitive {
		t.Errorf("compatibility is %+v", got)
	}
	for _, r := range c.SetMode(ctx, sr.ModeReadOnly, subject) {
		must(r.Err)
	}
	var refused *sr.ResponseError
	if _, err := c.CreateSchema(ctx, subject, order("a", "b")); !errors.As(err, &refused) || refused.ErrorCode != 42205 {
		t.Errorf("read-only: %v", err)
	}
	for _, r := range c.ResetMode(ctx, subject) {
		must(r.Err)
	}
	all, err := c.Schemas(ctx, subject)
	if must(err); len(all) != 2 {
		t.Errorf("schemas are %+v", all)
	}
	_, err = c.DeleteSubject(ctx, subject, sr.SoftDelete)
	must(err)
	if s, err := c.SchemaByID(ctx, first.ID); err != nil || s.Schema != order().Schema {
		t.Errorf("the id of a deleted subject: %+v, %v", s, err)
	}
	_, err = c.DeleteSubject(ctx, subject, sr.HardDelete)
	must(err)
	if third, err := c.CreateSchema(ctx, subject, order()); err != nil || third.ID <= second.ID {
		t.Errorf("an id came again: %+v, %v", third, err)
	}
}

// TestKill: kill -9 between and within registrations; what was answered stays,
// and no id means two schemas.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, log := range []string{"embedded", "Apache Kafka"} {
		t.Run(log, func(t *testing.T) {
			t.Parallel()
			at, known := place{dir: t.TempDir(), name: deployment("killed")}, map[int]string{}
			if log == "Apache Kafka" {
				at.kafka = apache.Cluster(t).Brokers()[0]
			}
			for round := range min(40, harness.Number(t, "EVERT_CRASH_RUNS", 4)) { // each reads all ids of those before
				s := serve(t, at)
				c := s.client(t)
				for id, text := range known {
					if got, err := c.SchemaByID(t.Context(), id); err != nil || got.Schema != text {
						t.Fatalf("round %d: id %d is %q, %v; it was %q", round, id, got.Schema, err, text)
					}
				}
				killWhileRegistering(t, s, c, round, known)
			}
		})
	}
}

// killWhileRegistering kills the daemon while one goroutine registers, and notes
// what that was answered.
func killWhileRegistering(t *testing.T, s served, c *sr.Client, round int, known map[int]string) {
	t.Helper()
	answered, done := make(chan struct{}, 1), make(chan struct{})
	var failed error // of the last registration; by done
	go func() {
		defer close(done)
		for i := range 10_000 {
			schema := order(fmt.Sprintf("f%d_%d", round, i))
			got, err := c.CreateSchema(t.Context(), fmt.Sprintf("s%d", i%3), schema)
			if err != nil {
				failed = err
				return
			}
			if old, ok := known[got.ID]; ok && old != schema.Schema {
				t.Errorf("id %d was %s and is %s", got.ID, old, schema.Schema)
			}
			known[got.ID] = schema.Schema
			if i == 3+round {
				answered <- struct{}{}
			}
		}
	}()
	select {
	case <-answered:
	case <-done:
		t.Errorf("round %d: a registration failed before the kill: %v; the daemon's last lines:\n%s", round, failed, s.Last(10))
	case <-time.After(harness.Patience):
		t.Errorf("round %d: registrations hang; the daemon's last lines:\n%s", round, s.Last(10))
	}
	s.Kill()
	<-done
}
