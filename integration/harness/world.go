//go:build unix

package harness

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// Password is that of the role that worlds capture with. No log may hold it.
const Password = "canary-password-51d0"

// A World is one database, one configuration and one data directory.
type World struct {
	*Suite
	testing.TB
	Postgres *pgserver.Server
	Database string
	Dir      string // holds evert.yaml and data
	Options  Options

	outputs []*Process // whose logs are looked at for canaries
}

// Options of a world. They may be changed before a daemon is started.
type Options struct {
	Tags     []string             // build tags of the binary
	Env      []string             // NAME=value, added to the daemon's environment
	Shell    string               // what a shell does before it becomes the daemon, as ulimit -n 64
	Brokers  []string             // a Kafka cluster; the embedded log if there is none
	Cluster  *kafkaserver.Cluster // that of Brokers, if it is Apache Kafka
	Kafka    string               // further settings of the section kafka, each with a comma before it
	Topics   string               // further settings of kafka.topics, each with a comma before it
	Address  string               // host:port that the source connects to instead of Postgres
	Tables   string               // a YAML list; [public.*] if empty
	Source   string               // YAML of the source beside postgres, one `key: value` a line
	OnError  string               // on_table_error of the source; stop_table if empty: a story tells of what stops
	Postgres string               // YAML of the source's postgres section
	Sources  string               // YAML of further sources, indented by two
	More     string               // YAML at the top level
	DataDir  string               // Dir/data if empty
	DataRef  string               // how the file says that; DataDir itself if empty
	HTTP     string               // the address of serve.http; none if empty
	Session  string               // kafka.session_timeout; 2s if empty
	Name     string               // of the deployment; that of the database if empty
}

// NewWorld makes a database owned by a role that may replicate and nothing
// more, and a directory. Both are removed when the test ends; a failed test
// leaves the directory if EVERT_KEEP=1.
func (s *Suite) NewWorld(t testing.TB, pg *pgserver.Server, database string) *World {
	t.Helper()
	dir, err := os.MkdirTemp("", "evert-world-") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	w := &World{Suite: s, TB: t, Postgres: pg, Database: database, Dir: dir}
	t.Cleanup(w.remove)
	pgtest.Database(t, pg, database)
	w.SQL("postgres", fmt.Sprintf(`DO $$ BEGIN
			CREATE ROLE capture LOGIN REPLICATION PASSWORD '%s';
		EXCEPTION WHEN duplicate_object OR unique_violation THEN -- another world's
		END $$`, Password), "ALTER DATABASE "+database+" OWNER TO capture")
	return w
}

func (w *World) remove() {
	if w.Failed() && os.Getenv("EVERT_KEEP") == "1" {
		w.Logf("kept: %s", w.Dir)
		return
	}
	_ = os.RemoveAll(w.Dir)
}

// SQL runs statements as superuser.
func (w *World) SQL(database string, sql ...string) {
	w.Helper()
	if err := w.Postgres.Exec(context.Background(), database, sql...); err != nil {
		w.Fatalf("SQL: %v", err)
	}
}

// URL connects to the world's database as the role that owns it.
func (w *World) URL() string {
	return w.urlAt(fmt.Sprintf("127.0.0.1:%d", w.Postgres.Port()))
}

func (w *World) urlAt(address string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("capture", Password), Host: address,
		Path: "/" + w.Database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Prefix is that of the topics; the source is called db.
const Prefix = "db"

// Topic names the topic of a table in schema public.
func Topic(table string) string { return Prefix + ".public." + table }

// Deployment is the name of the deployment; slots are named after it, and a
// server has one name space for them.
func (w *World) Deployment() string { return orElse(w.Options.Name, w.Database) }

func orElse(text, standard string) string {
	if text == "" {
		return standard
	}
	return text
}

// Data is the data directory.
func (w *World) Data() string { return orElse(w.Options.DataDir, filepath.Join(w.Dir, "data")) }

var configuration = template.Must(template.New("evert.yaml").Parse(`name: {{.Name}}
data_dir: {{.Data}}
logging: {level: info, format: json}
{{with .Brokers}}kafka: {brokers: [{{.}}], session_timeout: {{$.Session}}, topics: {replication_factor: {{$.Copies}}{{$.Topics}}}{{$.Kafka}}}
{{end}}sources:
  db:
    postgres:
      url: {{.URL}}
      tables: {{.Tables}}
{{.Postgres}}    on_table_error: {{.OnError}}
{{.Source}}{{.Sources}}serve: {http: "{{.HTTP}}"}
{{.More}}`))

// Write writes evert.yaml, in one step for a daemon that is just reading it, and
// gives its path.
func (w *World) Write() string {
	w.Helper()
	o := w.Options
	path := filepath.Join(w.Dir, "evert.yaml")
	f, err := os.CreateTemp(w.Dir, "evert.yaml.")
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	address := orElse(o.Address, fmt.Sprintf("127.0.0.1:%d", w.Postgres.Port()))
	err = configuration.Execute(f, map[string]string{
		"Name": w.Deployment(), "Data": orElse(o.DataRef, w.Data()), "HTTP": orElse(o.HTTP, "none"), "Brokers": strings.Join(o.Brokers, ", "),
		"Session": orElse(o.Session, "2s"), "Copies": strconv.Itoa(min(3, max(1, len(o.Brokers)))), "Kafka": o.Kafka, "Topics": o.Topics,
		"URL": w.urlAt(address), "Tables": orElse(o.Tables, `["public.*"]`),
		"Postgres": indent(o.Postgres, "      "), "Source": indent(o.Source, "    "), "OnError": orElse(o.OnError, "stop_table"), "Sources": o.Sources, "More": o.More,
	})
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		w.Fatal(err)
	}
	return path
}

func indent(text, by string) string {
	out := ""
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			out += by + strings.TrimSpace(line) + "\n"
		}
	}
	return out
}

// Activity tells what the server is doing in the world's database, for a test
// that gives up.
func (w *World) Activity() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.Postgres.URL(w.Database))
	if err != nil {
		return err.Error()
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT format('  | pid %s (%s) %s %s/%s, blocked by %s: %s', pid, application_name, state,
		wait_event_type, wait_event, pg_blocking_pids(pid)::text, left(regexp_replace(query, '\s+', ' ', 'g'), 200))
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid`)
	if err != nil {
		return err.Error()
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}
