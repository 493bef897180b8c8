//go:build unix

package crash

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
)

// TestKillSwept kills the daemon, and now and then its broker, while the broker's
// cleaner passes every topic all the time: rows that were superseded go at once, and
// tombstones a second later, the frontier's with them (K16 K17). The topics are no history
// then, but folded by key they are the tables, whenever the daemon died.
func TestKillSwept(t *testing.T) {
	t.Parallel()
	kills := harness.Number(t, "EVERT_CRASH_RUNS", 6)
	o := harness.OnKafka(swept.Cluster(t))
	o.Topics = harness.Swept
	rounds(t, (kills+2)/3, o, (*round).sweptRun)
}

// sweptRun is a whole round: kills · the cleaner takes rows and a tombstone · a kill behind
// that → equal
func (r *round) sweptRun(kills int) error {
	r.own("CREATE TABLE sweep (id int PRIMARY KEY, n int NOT NULL)", "INSERT INTO sweep VALUES (1, 0), (2, 0)")
	stop := r.Traffic()
	r.kills(kills)
	err := r.awaitSweep()
	if err == nil {
		r.kill()
	}
	stop()
	r.Logf("killed at: %q", r.moments)
	if err != nil {
		return err
	}
	return r.CatchUpAndFold("sweep")
}

// own runs statements as the role that captures.
func (r *round) own(sql ...string) {
	r.Helper()
	r.SQL(r.Database, append([]string{"SET ROLE capture"}, sql...)...)
}

// A sweptTopic is what the topic of the table still has.
type sweptTopic struct {
	deleted, updated int // records of the row that is deleted, and of the one that is updated
	updates          int // of that one which the topic has had a record of: they are counted in the row
}

// left reads the topic. The records of a row lie in the order of its changes, and the last
// one stays, so what the daemon has yet to write is not taken for swept.
func (r *round) left() (l sweptTopic, err error) {
	err = r.Tail(harness.Topic("sweep"), func(rec harness.Record) error {
		switch string(rec.Key["id"]) {
		case "1":
			l.deleted++
		case "2":
			l.updated++
			return json.Unmarshal(rec.After["n"], &l.updates)
		}
		return nil
	})
	return l, err
}

// awaitSweep deletes a row whose copy is in its topic, and waits until nothing is left of
// it, nor all of what superseded what in another row. The daemon is killed in the end.
func (r *round) awaitSweep() error {
	d := r.Run()
	defer d.Kill()
	d.AwaitStatus("the stream", harness.Streaming(0))
	r.copied = true
	left, err := r.left()
	if err != nil || left.deleted == 0 {
		return fmt.Errorf("before it is deleted, the row is not in its topic, which holds %+v: %w", left, err)
	}
	r.own("DELETE FROM sweep WHERE id = 1")
	timeout := time.After(harness.Patience)
	for {
		r.own("UPDATE sweep SET n = n + 1") // a segment ends with a record that comes behind its time
		if left, err = r.left(); err != nil {
			return err
		}
		if left.deleted == 0 && left.updated < left.updates {
			r.Logf("%d updates left %d rows, and the deletion no tombstone", left.updates, left.updated)
			return nil
		}
		select {
		case <-timeout:
			return fmt.Errorf("K16 K17 the cleaner leaves %d records of a row that was deleted, and %d of one that was updated %d times", left.deleted, left.updated, left.updates)
		case <-time.After(250 * time.Millisecond): // the period of asking
		}
	}
}
