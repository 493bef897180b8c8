//go:build unix

package registry

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/evertdb/evert/integration/harness"
)

var suite harness.Suite

func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }

const token = "sesame-of-the-registry"

// served is a daemon whose registry is asked. Its source has no server: what it
// serves does not wait for that.
type served struct {
	*harness.Process
	url string
}

// dir keeps what a daemon keeps; kafka is a cluster's address, or empty.
func serve(t *testing.T, dir, kafka string) served {
	t.Helper()
	file := filepath.Join(dir, "evert.yaml")
	yaml := fmt.Sprintf("name: shop\ndata_dir: %s\nserve: {http: none, registry: \"127.0.0.1:0\", token: %s}\n", filepath.Join(dir, "data"), token)
	if kafka != "" {
		yaml += fmt.Sprintf("kafka: {brokers: [%q], topics: {replication_factor: 1}}\n", kafka)
	}
	yaml += "sources: {shop: {postgres: {url: \"postgres://evert@127.0.0.1:1/shop\", tables: [public.orders]}}}\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, harness.Launch{Path: suite.Evert(t), Args: []string{"run", "-c", file}})
	line := p.Await(t, "the registry's address", func(line string) bool {
		return strings.Contains(line, "listening") && strings.Contains(line, "registry")
	})
	at := strings.Index(line, "http://")
	if at < 0 {
		t.Fatalf("no address in %s", line)
	}
	return served{p, strings.TrimRight(line[at:], "\"} \n")}
}

func (s served) client(t *testing.T) *sr.Client {
	t.Helper()
	c, err := sr.NewClient(sr.URLs(s.url), sr.BearerToken(token))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClients: one registry, three clients, none of them changed.
func TestClients(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "")
	t.Run("franz-go", func(t *testing.T) { t.Parallel(); franz(t, s.client(t)) })
	t.Run("confluent-kafka for Python", func(t *testing.T) {
		t.Parallel()
		run(t, nil, python(t), "testdata/client.py", s.url, token)
	})
	t.Run("@kafkajs/confluent-schema-registry", func(t *testing.T) {
		t.Parallel()
		run(t, []string{"NODE_PATH=" + nodeModules(t)}, "node", "testdata/client.js", s.url, token)
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
}

func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}

func order(fields ...string) sr.Schema {
	text := `{"type":"record","name":"Order","namespace":"go","fields":[{"name":"id","type":"long"}`
	for _, f := range fields {
		text += fmt.Sprintf(`,{"name":%q,"type":["null","long"],"default":null}`, f)
	}
	return sr.Schema{Schema: text + "]}", Type: sr.TypeAvro}
}

func franz(t *testing.T, c *sr.Client) {
	ctx, subject := t.Context(), "go.orders-value"
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
	for _, log := range []string{"embedded", "Kafka"} {
		t.Run(log, func(t *testing.T) {
			t.Parallel()
			kafka := ""
			if log == "Kafka" {
				kafka = suite.StartKafka(t).Address
			}
			rounds := harness.Number(t, "EVERT_CRASH_RUNS", 4)
			dir, known := t.TempDir(), map[int]string{}
			for round := range rounds {
				s := serve(t, dir, kafka)
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
	go func() {
		defer close(done)
		for i := range 10_000 {
			schema := order(fmt.Sprintf("f%d_%d", round, i))
			got, err := c.CreateSchema(t.Context(), fmt.Sprintf("s%d", i%3), schema)
			if err != nil {
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
	case <-time.After(harness.Patience):
		t.Errorf("no registration was answered; the daemon's last lines:\n%s", s.Last(10))
	}
	s.Kill()
	<-done
}

// TestTwoDaemons: two daemons over one cluster, both asked to register. Each
// finds what the other gave out, and no id is given out twice.
func TestTwoDaemons(t *testing.T) {
	t.Parallel()
	kafka := suite.StartKafka(t).Address
	daemons := []served{serve(t, t.TempDir(), kafka), serve(t, t.TempDir(), kafka)}
	ids := map[int]string{}
	type result struct {
		id   int
		text string
		err  error
	}
	for i := range 5 {
		results := make(chan result, len(daemons))
		for d, s := range daemons {
			c := s.client(t)
			go func() {
				schema := order(fmt.Sprintf("f%d_%d", i, d))
				got, err := c.CreateSchema(t.Context(), "both", schema)
				results <- result{got.ID, schema.Schema, err}
			}()
		}
		for range daemons {
			r := <-results
			if r.err != nil {
				t.Fatal(r.err)
			}
			if old, ok := ids[r.id]; ok {
				t.Fatalf("id %d is %s and %s", r.id, old, r.text)
			}
			ids[r.id] = r.text
			for _, s := range daemons { // read by both at once
				if got, err := s.client(t).SchemaByID(t.Context(), r.id); err != nil || got.Schema != r.text {
					t.Errorf("id %d is %q, %v", r.id, got.Schema, err)
				}
			}
		}
	}
}
