package configs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/pipeline"
)

// envOf looks up variables in a map.
func envOf(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

// mustParse loads text that must be right.
func mustParse(t *testing.T, text string, env map[string]string) *Config {
	t.Helper()
	c, err := Parse("evert.yaml", []byte(text), envOf(env))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// one is the smallest file, with further lines for its Postgres source.
func one(url string, lines ...string) string {
	text := "name: shop\nsources:\n  shop:\n    postgres:\n      url: " + url + "\n      tables: [public.*]\n"
	for _, l := range lines {
		text += "      " + l + "\n"
	}
	return text
}

// The file that shows every section is read whole; only what is not built yet
// is refused.
func TestEverySection(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"kafka", "pii"} {
		write(t, filepath.Join(dir, name), "hunter2\n")
	}
	data, err := os.ReadFile("testdata/sections.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "/run/secrets", dir)
	_, err = Parse("evert.yaml", []byte(text), envOf(map[string]string{
		"SHOP_URL": "postgres://evert:hunter2@db/shop", "BILLING_URL": "mysql://evert:hunter2@db/billing",
	}))
	var list Errors
	if err != nil && !errors.As(err, &list) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, string(p.Code)+" "+strings.SplitN(p.What, " is not built", 2)[0])
	}
	var want []string
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors differ (-want +got):\n%s", diff)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("X14 the errors hold a secret: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDefaults(t *testing.T) {
	c := mustParse(t, one("postgres://evert@localhost/shop"), nil)
	s := c.Sources["shop"]
	if s.TopicPrefix != "shop" || s.Envelope != EnvelopeDebezium || s.Partitioner != PartitionerWire || s.CommitInterval != 100*time.Millisecond || s.MaxCommitBytes != 32<<20 {
		t.Errorf("source: %+v", s)
	}
	if p := s.Postgres; p.Slot != "evert_shop_shop" || p.Publication != "evert_shop_shop" || p.Snapshot.Workers != 2 || p.Snapshot.Mode != "initial" || p.Snapshot.MaxRate != 0 {
		t.Errorf("postgres: %+v", p)
	}
	if c.Kafka != nil || c.Registry != nil || c.Serve.HTTP != "127.0.0.1:8380" || c.Serve.Kafka != Off || c.Limits.DrainTimeout != 10*time.Second || c.DataDir != "./data" {
		t.Errorf("config: %v", c)
	}
	if d := Defaults(); d.Limits != c.Limits || d.Serve != c.Serve || d.Logging != c.Logging {
		t.Errorf("Defaults differ from a file that names nothing: %v", d)
	}
	if len(c.Warnings()) > 0 {
		t.Errorf("warnings: %v", c.Warnings())
	}
}

func TestReferences(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "name"), "filed\n")
	env := map[string]string{"NAME": "north", "N": "7", "EMPTY": "", "TRICK": "${NAME}", "YES": "true"}
	for _, tc := range []struct{ text, want string }{
		{"plain", "plain"},
		{"${NAME}", "north"},
		{"a${NAME}b${N}", "anorthb7"},
		{"${NOPE:-south}", "south"},
		{"${EMPTY:-south}", "south"},
		{"${NAME:-south}", "north"},
		{"${NOPE:-${NAME}-x}", "north-x"},
		{"${NOPE:-${NADA:-deep}}", "deep"},
		{"$${NAME}", "${NAME}"},
		{"$NAME", "$NAME"},
		{"$$", "$$"},
		{"a}b", "a}b"},
		{"${TRICK}", "${NAME}"}, // what a variable holds is not expanded again
		{"${file:" + dir + "/name}", "filed"},
		{"${NOPE:-${file:" + dir + "/name}}", "filed"},
		{"no ${N}", "no 7"},
	} {
		c := mustParse(t, "data_dir: \""+tc.text+"\"\n"+one("postgres://evert@localhost/shop"), env)
		if c.DataDir != tc.want {
			t.Errorf("%s is %q, want %q", tc.text, c.DataDir, tc.want)
		}
	}
	c := mustParse(t, one("postgres://evert@db/shop", "insecure: ${YES}", "snapshot: {workers: \"${N}\"}", "slot_wait: ${NOPE:-5s}"), env)
	if p := c.Sources["shop"].Postgres; !p.Insecure || p.Snapshot.Workers != 7 || p.SlotWait != 5*time.Second {
		t.Errorf("references in other types: %+v", p)
	}
}

// What YAML allows and we read: quotes, anchors, comments, blocks, a byte order
// mark, line ends of Windows, flow lists with colons inside braces.
func TestYAMLForms(t *testing.T) {
	plain := one("postgres://evert@localhost/shop")
	for name, text := range map[string]string{
		"byte order mark": "\xef\xbb\xbf" + plain,
		"windows":         strings.ReplaceAll(plain, "\n", "\r\n"),
		"document marker": "---\n" + plain,
		"anchors":         "name: shop\nsources:\n  a: {postgres: &pg {url: \"postgres://evert@localhost/a\", tables: &t [public.*]}}\n  b: {postgres: {url: \"postgres://evert@localhost/b\", tables: *t}}\n",
		"flow":            `{name: shop, kafka: {brokers: [kafka-1:9092, kafka-2:9092]}, serve: {http: 127.0.0.1:1}, sources: {shop: {postgres: {url: postgres://evert@localhost/shop, tables: [public.*]}}}}`,
		"quotes":          `{"name": 'shop', "sources": {'shop': {"postgres": {"url": "postgres://evert@localhost/shop", "tables": ["public.*", 'public."Odd name"']}}}}`,
		"quoted no":       "data_dir: 'no'\n" + plain,
		"folded":          strings.Replace(plain, "url: postgres", "url: >-\n        postgres", 1),
		"wildcards":       strings.Replace(plain, "[public.*]", "['*.*', \"a*.b*\", x.y]", 1),
		"settings":        plain + "kafka:\n  brokers: [localhost:9092]\n  topics: {config: {retention.ms: 1000, compression.type: zstd, preallocate: true, unclean.leader.election.enable: no}}\n",
	} {
		t.Run(name, func(t *testing.T) { mustParse(t, text, nil) })
	}
}

// A plain list inside braces keeps its colons, by which addresses are known.
func TestColonsInsideBraces(t *testing.T) {
	c := mustParse(t, "kafka: {brokers: [kafka-1:9092, '[::1]:9092', 10.0.0.1:9092]}\n"+one("postgres://evert@localhost/shop"), nil)
	if diff := cmp.Diff([]string{"kafka-1:9092", "[::1]:9092", "10.0.0.1:9092"}, c.Kafka.Brokers); diff != "" {
		t.Error(diff)
	}
}

// Of the conditions of a copy the most exact one holds, and a pattern where no other does,
// of either kind of database.
func TestConditionsOfCopies(t *testing.T) {
	const where = "snapshot: {where: {public.*: id > 1, public.a*: id > 2, public.ab: id > 3, \"*.*\": id > 4}}"
	c := mustParse(t, `name: shop
sources:
  pg: {postgres: {url: "postgres://evert@localhost/shop", tables: ["*.*"], `+where+`}}
  my: {mysql: {url: "mysql://evert@localhost/shop", tables: ["*.*"], `+where+`}}
  all: {mysql: {url: "mysql://evert@localhost/shop", tables: ["*.*"]}}
`, nil)
	for table, want := range map[string]string{"b": "id > 1", "aa": "id > 2", "ab": "id > 3"} {
		for name, want := range map[string]string{"pg": want, "my": want, "all": ""} {
			if got := c.Sources[name].Chooses("public", table).Value; got != want {
				t.Errorf("%s, public.%s: %q, want %q", name, table, got, want)
			}
		}
	}
	if got := c.Sources["my"].Chooses("other", "ab").Value; got != "id > 4" {
		t.Errorf("other.ab: %q", got)
	}
}

// Bytes that no text editor shows.
func TestBadBytes(t *testing.T) {
	plain := one("postgres://evert@localhost/shop")
	for name, tc := range map[string]struct {
		text, where string
		code        pipeline.Code
	}{
		"zero byte":     {plain + "x: \x00\n", "7:4", configSyntax},
		"not UTF-8":     {plain + "\nname: \xff\n", "8:7", configSyntax},
		"escape":        {"é: \x1b[0m\n", "1:4", configSyntax},
		"too large":     {plain + "#" + strings.Repeat("x", maxFileBytes), "1:1", configLimit},
		"deep blocks":   {plain + "views:\n" + deepBlocks(60), "40:35", configLimit},
		"many brackets": {"a: " + strings.Repeat("[", 100_000), "1:36", configLimit},
		"many dashes":   {strings.Repeat("- ", 100_000), "1:65", configLimit},
		"many tags":     {"a: " + strings.Repeat("!a ", 50_000), "1", configLimit},
		"many letters":  {strings.Repeat("a", 300_000), "1:1", wrongType},
		"many lines":    {strings.Repeat("\n", 300_000), "1:1", emptyValue},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f", []byte(tc.text), envOf(nil))
			if pipeline.CodeOf(err) != tc.code || !strings.HasPrefix(err.Error(), "f:"+tc.where+":") {
				t.Errorf("want %s at %s, got %.300v", tc.code, tc.where, err)
			}
		})
	}
}

func deepBlocks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

func TestLoadReadsFiles(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.yaml"), dir} {
		_, err := Load(path, os.LookupEnv)
		if pipeline.CodeOf(err) != configRead || !strings.Contains(err.Error(), path+":1:1: ") {
			t.Errorf("%s: %v", path, err)
		}
	}
	path := filepath.Join(dir, "evert.yaml")
	write(t, path, one("postgres://evert@localhost/shop"))
	c, err := Load(path, os.LookupEnv)
	if err != nil || c.File() != path {
		t.Errorf("%v, %v", c, err)
	}
}

// Without secrets the effective configuration loads again, to the same.
func TestEffectiveLoadsAgain(t *testing.T) {
	text := "name: shop\nlogging: {format: text}\nkafka: {brokers: [\"localhost:9092\"], topics: {config: {retention.ms: 5}}}\n" +
		"sources:\n  shop:\n    envelope: row\n    reconnect_max: 1m30s\n    max_commit_bytes: 1MiB\n    postgres:\n      url: postgres://evert@localhost/shop\n      tables: [public.*, 'public.\"no. 1\"']\n      snapshot: {max_rate: 50MiB/s}\n" +
		"    overrides:\n      public.a: {key: [\"no\", id], topic: {partitions: 3}}\nserve: {http: none}\n"
	first := mustParse(t, text, nil).String()
	again := strings.Replace(first, `"`+Redacted+`"`, "postgres://evert@localhost/shop", 1)
	second := mustParse(t, again, nil).String()
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the effective configuration changed (-first +second):\n%s", diff)
	}
	for _, part := range []string{"reconnect_max: 1m30s", "max_rate: 50MiB/s", "http: none", "partitions: 3", "memory: 136MiB"} {
		if !strings.Contains(first, part) {
			t.Errorf("the effective configuration lacks %q:\n%s", part, first)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{one("postgres://evert@db/shop?sslmode=require", "insecure: true"), "sources.shop.postgres.url: the connection is not verified fully (sslmode=require); write sslmode=verify-full and remove insecure"},
		{one("postgres://evert@db/shop", "insecure: true"), "sources.shop.postgres.insecure has no effect"},
		{one("postgres://evert@localhost/shop") + "kafka: {brokers: [\"a:9092\"], insecure: true, tls: {mode: disable}}\n", "kafka: the connection is not verified fully (tls.mode: disable)"},
		{one("postgres://evert@localhost/shop") + "registry: {url: \"http://registry:8081\"}\n", "registry.url: the connection is plaintext"},
	} {
		w := mustParse(t, tc.text, nil).Warnings()
		if len(w) != 1 || !strings.HasPrefix(w[0], tc.want) {
			t.Errorf("warnings %q, want one that begins %q", w, tc.want)
		}
	}
}
