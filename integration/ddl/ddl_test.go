//go:build unix

package ddl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/check"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var suite harness.Suite

func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }

// programSteps is how many transactions a program has.
const programSteps = 150

// TestPrograms covers P15 P19 P20 P21 P22 P23 P26 P27 P28 P30 P35 P52: whatever is
// done to tables while the daemon runs, is killed, and is down, a topic whose table
// was not told to have stopped is the table.
func TestPrograms(t *testing.T) {
	t.Parallel()
	seed := harness.Seed(t)
	runs, steps := max(1, harness.Number(t, "EVERT_CRASH_RUNS", 1)/10), programSteps
	if harness.Full() {
		steps *= 4
	}
	pg := pgtest.Start(t, pgtest.Options{Settings: map[string]string{
		"logical_decoding_work_mem": "64kB", "max_prepared_transactions": "10", "max_connections": "50", "max_replication_slots": "20", "max_wal_senders": "20",
	}})
	for n := range uint64(runs) {
		t.Run(fmt.Sprint(n), func(t *testing.T) { // whose slot goes with it
			r := newRound(t, suite.NewWorld(t, pg, fmt.Sprintf("ddl_%d", n)), seed+n*1_000_003)
			if err := r.run(steps); err != nil {
				t.Fatalf("seed %d, EVERT_SEED=%d: %v\nthe program:\n%s", seed+n*1_000_003, seed, err, strings.Join(r.program.history, ";\n"))
			}
		})
	}
}

// A round is one program beside one deployment.
type round struct {
	*harness.World
	program *generator
	rng     *rand.Rand // of the kills: the program does not depend on them
}

func newRound(t *testing.T, w *harness.World, seed uint64) *round {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.Postgres.URL(w.Database)+"&default_query_exec_mode=simple_protocol&lock_timeout=30s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	w.Options.Source = "commit_interval: 10ms\nidle_interval: 100ms\nreconnect_max: 1s"
	rng := rand.New(rand.NewPCG(seed, 1))
	r := &round{World: w, rng: rand.New(rand.NewPCG(seed, 2))}
	r.program = &generator{rng: rng, conn: conn, tables: 6 + rng.IntN(8), harsh: []int{0, 2, 6}[rng.IntN(3)], publication: "evert_" + w.Database + "_db"}
	if err := r.program.setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.SQL(w.Database, "ALTER TABLE calm OWNER TO capture", `DO $$ DECLARE t regclass; BEGIN
		FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') LOOP EXECUTE 'ALTER TABLE ' || t || ' OWNER TO capture'; END LOOP; END $$`,
		"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO capture")
	return r
}

// run runs the program, kills the daemon meanwhile, and compares.
func (r *round) run(steps int) error {
	d := r.Run()
	d.AwaitStatus("the stream", harness.Streaming(0))
	for steps > 0 {
		n := min(steps, 1+r.rng.IntN(40))
		steps -= n
		for range n {
			if err := r.program.step(r.Context()); err != nil {
				return err
			}
		}
		d = r.interrupt(d)
	}
	if d != nil {
		d.AwaitStatus("the stream", harness.Streaming(0))
		d.Terminate()
	}
	return r.compare()
}

// interrupt ends the daemon now and then, and starts it again now or later.
func (r *round) interrupt(d *harness.Daemon) *harness.Daemon {
	if d == nil {
		return r.Run()
	}
	switch n := r.rng.IntN(6); {
	case n < 2:
		d.AwaitStatus("the stream", harness.Streaming(0))
		return d
	case n < 3:
		d.AwaitStatus("the stream", harness.Streaming(0))
		d.Terminate()
	default:
		time.Sleep(time.Duration(r.rng.Int64N(int64(20 * time.Millisecond)))) // part of the moment, not a wait for anything
		d.Kill()
	}
	if r.rng.IntN(3) == 0 {
		return nil // the program goes on without it
	}
	return r.Run()
}

// compare catches up, has every table copied again that has stopped and can be, and
// compares all that goes on.
func (r *round) compare() error {
	_, stopped, _, err := r.caughtUp()
	if err != nil {
		return err
	}
	copied, kept, err := r.copyAgain(stopped)
	if err != nil {
		return err
	}
	going, stopped, refused, err := r.caughtUp()
	if err != nil {
		return err
	}
	for _, name := range kept {
		if !slices.Contains(refused, name) {
			return fmt.Errorf("table %s was not copied again because of its topic, which does not refuse it", name)
		}
	}
	for _, name := range append(copied, "calm") {
		if !slices.Contains(going, name) {
			return fmt.Errorf("table %s has stopped, and nobody altered it since", name)
		}
	}
	var problems check.Problems
	rows, err := check.Tables(r.World, &problems, going...)
	r.Logf("%d transactions, %d failed; %d rows of %d tables are equal, %d of them by another copy; %d have stopped, %d are refused by their topic",
		len(r.program.history), r.program.failed, rows, len(going), len(copied), len(stopped), len(refused))
	if err == nil {
		err = problems.Err()
	}
	return err
}

// isOfTopic accepts what says that a topic cannot hold what its table is now.
func isOfTopic(text string) bool {
	return strings.Contains(text, "[SCHEMA_INCOMPATIBLE]") || strings.Contains(text, "[KEY_CHANGED]")
}

// caughtUp reads to the end, and tells the tables that go on from those that have
// stopped, and from those whose topic cannot hold what they are now.
func (r *round) caughtUp() (going, stopped, refused []string, err error) {
	d := r.Run("--until-caught-up")
	if code := d.Wait(r, harness.Patience); code > 1 {
		return nil, nil, nil, fmt.Errorf("evert run --until-caught-up: exit code %d:\n%s", code, d.Last(30))
	}
	states, err := r.states()
	if err != nil {
		return nil, nil, nil, err
	}
	for topic, state := range states {
		name, _ := strings.CutPrefix(topic, harness.Prefix+".public.")
		switch {
		case state.State == log.OK:
			going = append(going, name)
		case isOfTopic("[" + string(state.Why.Code) + "]"):
			refused = append(refused, name)
		default:
			stopped = append(stopped, name)
		}
	}
	slices.Sort(going)
	slices.Sort(stopped)
	return going, stopped, refused, nil
}

// copyAgain has tables copied again, and tells those that could be from those whose
// topic cannot hold what they are by now.
func (r *round) copyAgain(tables []string) (copied, kept []string, err error) {
	d := r.Run()
	d.AwaitStatus("the stream", harness.Streaming(0))
	for _, name := range tables {
		if !r.capturable(name) {
			continue
		}
		p := harness.Start(r, harness.Launch{Path: r.Evert(r), Args: []string{"snapshot", "-c", r.Write(), "--wait", harness.Prefix + ".public." + name}})
		code := p.Wait(r, harness.Patience)
		switch {
		case code == 0:
			copied = append(copied, name)
		case p.Count(isOfTopic) > 0: // its key changed after it had stopped, say
			kept = append(kept, name)
		default:
			return nil, nil, fmt.Errorf("table %s is not copied again: %s", name, p.Last(3))
		}
	}
	d.Terminate()
	return copied, kept, nil
}

// capturable reports whether there is a table of that name that can be captured: no
// partition, in the publication, and with old rows that carry its key.
func (r *round) capturable(name string) (ok bool) {
	err := r.program.conn.QueryRow(r.Context(), `SELECT count(*) = 1 FROM pg_class c WHERE c.oid = to_regclass($1) AND c.relreplident <> 'n' AND NOT c.relispartition
		AND EXISTS (SELECT FROM pg_publication_tables p WHERE p.pubname = $2 AND p.schemaname = 'public' AND p.tablename = c.relname)
		AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)`, "public."+pgx.Identifier{name}.Sanitize(), r.program.publication).Scan(&ok)
	if err != nil {
		r.Fatal(err)
	}
	return ok
}

// states are those of the frontier.
func (r *round) states() (map[string]log.TableState, error) {
	l, closeLog, err := r.OpenLog()
	if err != nil {
		return nil, err
	}
	defer closeLog()
	fold, err := log.ReadFrontier(r.Context(), l, log.FrontierTopic(r.Deployment(), harness.Prefix))
	if err != nil {
		return nil, err
	}
	f, _ := fold.Frontier()
	return f.Tables, nil
}
