//go:build unix

package crash

import (
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
)

// TestPlantedPrograms runs binaries with two steps of a commit swapped, kills them
// between the two, and goes on with the right order. A round that is content with
// what it finds then is worth nothing.
func TestPlantedPrograms(t *testing.T) {
	t.Parallel()
	pg := postgres(t)
	seed := harness.Seed(t)
	for i, name := range []string{
		"ack-before-commit", "ack-when-read", "frontier-inside-transaction",
		"rows-before-frontier", "frontier-before-rows", "part-without-resume",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for try := range uint64(3) { // a kill can fall beside what it is meant for
				r := newRound(t, pg, seed+uint64(i)*7919+try, harness.Options{Tags: []string{"planted"}})
				if err := r.planted(name); err != nil {
					t.Logf("noticed: %.300s", err)
					return
				}
				t.Logf("not noticed; killed at: %s", r.moments)
			}
			t.Fatalf("the harness did not notice %s", name)
		})
	}
}

// planted kills the daemon between the swapped steps, and verifies what a right
// one makes of it.
func (r *round) planted(name string) error {
	right := r.Run()
	right.AwaitStatus("the stream", harness.Streaming(1))
	right.Terminate()
	r.Options.Env = []string{"EVERT_PLANT=" + name}
	dwelling := make(chan string, 1000)
	d := r.RunWatched(func(line string) {
		if strings.HasPrefix(line, "planted:") {
			dwelling <- line
		}
	})
	d.AwaitStatus("the stream", harness.Streaming(0))
	if err := r.Workload.Bulk(r.Context(), r.bulk); err != nil {
		r.Fatal(err)
	}
	var at string
	select {
	case line := <-dwelling:
		_, at, _ = strings.Cut(strings.TrimSpace(line), " at ")
	case <-d.Exited():
		r.Fatalf("the daemon ended by itself; its last lines:\n%s", d.Last(20))
	case <-time.After(harness.Patience):
		r.Fatalf("the plant never grew; the last lines:\n%s", d.Last(20))
	}
	if strings.HasPrefix(name, "ack-") { // the source is told, and tells the server by itself
		r.awaitAck(at)
	}
	d.Kill()
	r.moments = append(r.moments, "between the swapped steps")
	r.Options.Env = nil
	return r.CatchUpAndCompare()
}

// awaitAck waits until the server has heard that the place is durable, while the
// plant dwells.
func (r *round) awaitAck(at string) {
	r.SQL(r.Database, `DO $$ BEGIN
		FOR i IN 1..4500 LOOP
			PERFORM FROM pg_replication_slots WHERE database = current_database() AND confirmed_flush_lsn >= '`+at+`';
			IF FOUND THEN RETURN; END IF;
			PERFORM pg_sleep(0.01);
		END LOOP;
		RAISE 'the plant did not acknowledge';
	END $$`)
}
