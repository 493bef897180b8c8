package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/inspect"
	"github.com/evertdb/evert/pipeline/loopback"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// pg is the server that scripts share; those that need another start one.
var pg pgtest.Shared

// users counts the roles that were made there: they outlive their script, and its test.
var users atomic.Int64

// patience bounds everything that a test waits for. It is long because machines are
// slow when all tests run; nothing waits for it that goes well.
const patience = 3 * time.Minute

// tests runs the tests and then ends the shared server.
type tests struct{ *testing.M }

func (t tests) Run() int { return pg.Run(t.M) }

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"evert": main})
}

// TestScripts runs the program on real servers, as people do. The commands
// besides those of testscript:
//
//	database NAME               a fresh database; $NAME is its URL
//	server NAME setting=value…  a server of its own; $NAME is the URL of its database postgres
//	restart NAME                restarts it
//	sql URL statement…          runs statements; @FILE is the URL that stands in a file, of which a pattern tells the name
//	user URL NAME               gives $NAME: URL with that user, who is made with password pw and no rights
//	port NAME                   $NAME is a free port
//	unread URL                  waits until nobody reads a slot of the database: the server learns of it later
//	until REGEXP program arg…   repeats the program until its output matches
//	mends FILE                  runs each mend of `check -o json` that is SQL, as printed, on $ADMIN
//	exits N program arg…        runs it; its exit code is N
//	source FILE                 $SOURCE is the only source of a status
//	term DIR                    sends SIGTERM to the holder of a data directory
//	tempdir NAME                $NAME is a temporary directory that other users may enter
//	empty DIR                   nothing is in it
//	hook NAME REFUSED TAKEN     an HTTP endpoint; $NAME is its URL, see hook_test.go
//	get URL                     prints what is served there, the status first
func TestScripts(t *testing.T) {
	s := &stage{t: t, servers: map[string]*scripted{}}
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: s.setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"database": s.database, "server": s.server, "restart": s.restart, "sql": s.sql, "user": s.user,
			"port": s.port, "unread": unread, "until": until, "mends": s.mends, "get": get, "exits": exits, "source": sourceOf, "term": term, "tempdir": tempdir, "empty": empty, "hook": hook,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// stage holds what scripts make.
type stage struct {
	t       *testing.T
	mu      sync.Mutex
	servers map[string]*scripted
}

func (s *stage) setup(e *testscript.Env) error {
	e.Setenv("HOME", e.WorkDir)
	return nil
}

func (s *stage) database(ts *testscript.TestScript, neg bool, args []string) {
	expect(ts, !neg && len(args) == 1, "database NAME")
	ts.Setenv(args[0], pg.Database(tenant{s.t, ts}))
}

// A tenant is a script that gives back what it was given when it ends,
// not at that of all scripts, whose slots together are more than a server has.
type tenant struct {
	*testing.T // of all scripts
	ts         *testscript.TestScript
}

func (o tenant) Cleanup(f func()) {
	o.ts.Defer(func() {
		if !o.Failed() { // a script that failed may have left a daemon that uses it
			f()
		}
	})
}

func (o tenant) Fatal(args ...any) { o.ts.Fatalf("%s", fmt.Sprint(args...)) }

func (o tenant) Fatalf(format string, args ...any) { o.ts.Fatalf(format, args...) }

func (s *stage) server(ts *testscript.TestScript, neg bool, args []string) {
	expect(ts, !neg && len(args) > 0, "server NAME setting=value…")
	settings := map[string]string{"fsync": "off"}
	for _, a := range args[1:] {
		name, value, _ := strings.Cut(a, "=")
		settings[name] = value
	}
	server, err := pgserver.Start(context.Background(), pgtest.Binaries(s.t), pgserver.Options{Kept: pgtest.Kept(), Settings: settings})
	ts.Check(err)
	ts.Defer(func() { _ = server.Close() })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers[ts.Name()+args[0]] = &scripted{server, settings}
	ts.Setenv(args[0], server.URL("postgres"))
}

// scripted is a server of one script, and the settings it was started with.
type scripted struct {
	*pgserver.Server
	settings map[string]string
}

// restart obeys ALTER SYSTEM, which the settings of the command line would hide.
func (s *stage) restart(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) == 1, "restart NAME")
	s.mu.Lock()
	server := s.servers[ts.Name()+args[0]]
	s.mu.Unlock()
	c, err := pgx.Connect(context.Background(), ts.Getenv(args[0]))
	ts.Check(err)
	rows, err := c.Query(context.Background(), "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'")
	ts.Check(err)
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		server.settings[name] = value
		return nil
	})
	ts.Check(err)
	ts.Check(c.Close(context.Background()))
	ts.Check(server.Restart(context.Background(), pgserver.Fast))
}

func (s *stage) sql(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) > 1, "sql URL statement…")
	url := args[0]
	if pattern, ok := strings.CutPrefix(url, "@"); ok {
		files, err := filepath.Glob(pattern)
		ts.Check(err)
		expect(ts, len(files) == 1, "sql @FILE statement…, with one such file")
		text, err := os.ReadFile(files[0])
		ts.Check(err)
		url = strings.TrimSpace(string(text))
	}
	ts.Check(execute(url, args[1:]...))
}

func execute(url string, statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func (s *stage) user(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) == 2, "user URL NAME")
	u, err := url.Parse(args[0])
	ts.Check(err)
	name := fmt.Sprintf("%s_%d", strings.ToLower(args[1]), users.Add(1))
	ts.Check(execute(args[0], "CREATE ROLE "+name+" LOGIN PASSWORD 'pw'"))
	u.User = url.UserPassword(name, "pw")
	ts.Setenv(args[1], u.String())
	ts.Setenv(args[1]+"_ROLE", name)
}

// port is nobody else's until the script ends.
func (s *stage) port(ts *testscript.TestScript, _ bool, args []string) {
	port, err := loopback.Take()
	ts.Check(err)
	ts.Defer(port.Close)
	ts.Setenv(args[0], fmt.Sprint(port.Number))
}

func unread(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) == 1, "unread URL")
	ts.Check(execute(args[0], `DO $$ BEGIN
		WHILE EXISTS (SELECT FROM pg_replication_slots WHERE database = current_database() AND active) LOOP PERFORM pg_sleep(0.005); END LOOP;
	END $$`))
}

// until runs a program until its output matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) > 1, "until REGEXP program arg…")
	want := regexp.MustCompile(args[0])
	var out []byte
	for began := time.Now(); time.Since(began) < patience; {
		program, err := exec.LookPath(args[1])
		ts.Check(err)
		c := exec.Command(program, args[2:]...)
		c.Dir, c.Env = ts.Getenv("WORK"), environ(ts)
		out, _ = c.CombinedOutput()
		if want.Match(out) {
			fmt.Fprintf(ts.Stdout(), "%s", out)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no match of %s within %s in:\n%s", want, patience, out)
}

func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "URL", "ADMIN", "USER_URL", "PORT", "SEARCH", "HOOK"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// mends runs, as printed, every mend that is SQL.
func (s *stage) mends(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) == 1, "mends FILE")
	var found []inspect.Finding
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &found))
	ran := 0
	for _, f := range found {
		first, _, _ := strings.Cut(f.Mend, "\n")
		verb, _, _ := strings.Cut(first, " ")
		if f.Level != "error" || strings.ToUpper(verb) != verb {
			continue
		}
		ran++
		ts.Logf("mend of %s: %s", f.Code, first)
		ts.Check(execute(ts.Getenv("ADMIN"), first))
	}
	expect(ts, ran > 0, "at least one mend that is SQL")
}

// exits runs a program that has to end with this code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) > 1, "exits N program arg…")
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("%v: exit code %d, want %s", args[1:], code, args[0])
	}
}

func term(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) == 1, "term DIR")
	p, err := os.FindProcess(datadir.HolderOf(ts.MkAbs(args[0])).PID)
	ts.Check(err)
	ts.Check(p.Signal(syscall.SIGTERM))
}

func tempdir(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) == 1, "tempdir NAME")
	dir, err := os.MkdirTemp("", "evert-script-")
	ts.Check(err)
	ts.Check(os.Chmod(dir, 0o755))
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	ts.Setenv(args[0], dir)
}

func empty(ts *testscript.TestScript, _ bool, args []string) {
	expect(ts, len(args) == 1, "empty DIR")
	left, err := os.ReadDir(args[0])
	ts.Check(err)
	for _, f := range left {
		ts.Fatalf("%s is left in %s", f.Name(), args[0])
	}
}

func sourceOf(ts *testscript.TestScript, _ bool, args []string) {
	var st api.Status
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &st))
	ts.Setenv("SOURCE", st.Sources[0].Name)
}

func get(ts *testscript.TestScript, neg bool, args []string) {
	expect(ts, len(args) == 1, "get URL")
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d\n%s", resp.StatusCode, body)
	if neg == (resp.StatusCode < 400) {
		ts.Fatalf("GET %s: %s", args[0], resp.Status)
	}
}

func expect(ts *testscript.TestScript, ok bool, usage string) {
	if !ok {
		ts.Fatalf("usage: %s", usage)
	}
}
