package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A Pause says when tables are not copied in chunks, so that the server has time for
// others. Zero fields do not hold anything up.
type Pause struct {
	ReplicaLag  time.Duration // while a standby replays its log so much later
	RetainedWAL int64         // while the slot holds back more bytes of log
	OldestXmin  int64         // while vacuum is held back by more transactions
}

// mayRead reports whether chunks are read at this time of the day.
func (c *copying) mayRead() bool {
	now := c.source.config.Now()
	left := c.source.config.SnapshotDaytimes.Until(now)
	if left == 0 {
		return true
	}
	c.until = time.Now().Add(min(left, c.source.config.PollInterval))
	c.waitFor("the copy of tables goes on at " + now.Add(left).Format("15:04"))
	return false
}

const pauseSQL = `
SELECT pg_has_role('pg_read_all_stats', 'USAGE'),
       (SELECT coalesce(extract(epoch FROM max(r.replay_lag)) * 1000, 0)::bigint FROM pg_stat_replication r
         WHERE NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')),
       (SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)::bigint FROM pg_replication_slots WHERE slot_name = $1),
       (SELECT greatest((SELECT max(age(backend_xmin)) FROM pg_stat_activity), (SELECT max(age(transaction)) FROM pg_prepared_xacts),
          (SELECT max(greatest(age(xmin), age(catalog_xmin))) FROM pg_replication_slots), 0))`

// paused says why no chunk is to be read now; empty if one may be.
func (c *Config) paused(ctx context.Context, conn *pgconn.PgConn) (string, error) {
	p := c.Pause
	if p == (Pause{}) {
		return "", nil
	}
	rs, err := pgsql.Query(ctx, conn, pauseSQL, c.Slot)
	if err != nil {
		return "", fmt.Errorf("look whether to pause: %w", err)
	}
	r := pgsql.Record{Cols: rs[0]}
	maySee, lag, retained, xmin := r.Bool(), time.Duration(r.Int())*time.Millisecond, r.Int(), r.Int()
	switch {
	case p.ReplicaLag > 0 && !maySee:
		return "the user does not see how far standbys are; GRANT pg_read_all_stats TO " + userOf(c) + ";", nil
	case p.ReplicaLag > 0 && lag > p.ReplicaLag:
		return "a standby is " + lag.Round(time.Second).String() + " behind", nil
	case p.RetainedWAL > 0 && retained > p.RetainedWAL:
		return "the slot holds back " + strconv.FormatInt(retained>>20, 10) + " MiB of log", nil
	case p.OldestXmin > 0 && xmin > p.OldestXmin:
		return "vacuum is held back by " + strconv.FormatInt(xmin, 10) + " transactions", nil
	}
	return "", nil
}
