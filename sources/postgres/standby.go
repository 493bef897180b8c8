package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A standby is where chunks are read, so that the primary is spared. A standby shows a
// transaction from when it has replayed its commit record on, and in that order alone;
// its pg_current_snapshot() does not name those in progress. Visibility is therefore a
// question of places here (P12):
//
//	stream    T1  T2 │ T3        T4                T5  place
//	window           ├ opens at P ──────────────────────┤
//	standby           replayed L ≥ P, then a snapshot      place: the end of the primary's log, behind the read
//
// T1 and T2 are in the snapshot, and it goes back behind no earlier one. T3 to T5 may be,
// and beat the rows of their keys in either case: the stream has handed over what they
// made of them, and all of a key's changes are in the stream in their order. What the
// snapshot shows was on the primary before, and so lies before the place.
//
// One job at a time uses it.
type standby struct {
	config Config // of the source, with the standby's URL
	conn   *pgconn.PgConn
	of     system // the primary that conn was compared with
}

// standbyOf gives the standby that a configuration names, nil if it names none.
func standbyOf(c *Config) *standby {
	if c.SnapshotURL == nil {
		return nil
	}
	own := *c
	own.URL = c.SnapshotURL
	return &standby{config: own}
}

// read reads a chunk, with primary for what only the primary knows.
func (s *standby) read(ctx context.Context, j *chunkJob, primary *pgconn.PgConn) error {
	err := s.connect(ctx, j.system)
	if err == nil {
		j.paused, err = s.await(ctx, j.opened)
	}
	if err != nil || j.paused != "" {
		return err
	}
	rs, err := j.readOnce(ctx, s.conn, "SELECT pg_is_in_recovery()")
	if err != nil || rs == nil {
		return err
	}
	if rs.Text(0, 0) != "t" {
		s.close()
		return errPromoted // the snapshot may show what the primary never had
	}
	if rs, err = pgsql.SimpleQuery(ctx, primary, placeSQL); err != nil {
		return err
	}
	return j.endsAt(rs.Text(0, 0))
}

var errPromoted = errors.New("the server of snapshot.url is no standby")

// connect opens a connection to a standby of this very primary. What is wrong with the
// standby holds up copies, and is no reason to end the source.
func (s *standby) connect(ctx context.Context, primary system) error {
	if s.conn != nil && !s.conn.IsClosed() && s.of.id == primary.id && s.of.timeline == primary.timeline {
		return nil
	}
	if err := s.open(ctx, primary); err != nil {
		return fmt.Errorf("read from the standby of snapshot.url: %v", pgsql.WithoutValues(err)) // whatever its code says of a source
	}
	return nil
}

func (s *standby) open(ctx context.Context, primary system) error {
	s.close()
	err := s.compare(ctx, primary)
	if err == nil {
		s.conn, err = s.config.connectBriefly(ctx)
	}
	s.of = primary
	return err
}

// compare refuses a server of another cluster, or on another timeline: it may have what
// the primary never had.
func (s *standby) compare(ctx context.Context, primary system) error {
	conn, err := s.config.connectReplication(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn.PgConn)
	is, err := identity(ctx, conn.PgConn)
	if err != nil {
		return err
	}
	refuse := func(what, mend string) error {
		return &pipeline.Refusal{Code: CodeSnapshotStandby, Where: "snapshot.url", What: what, Mend: mend}
	}
	switch {
	case is.id != primary.id:
		return refuse(fmt.Sprintf("it is a server of system %s, and the source's is of system %s", is.id, primary.id), "name a standby of the source's server, or leave snapshot.url out")
	case is.database != primary.database:
		return refuse("it is database "+is.database+", and the source's is "+primary.database, "name the source's database in snapshot.url")
	case is.timeline != primary.timeline:
		return refuse(fmt.Sprintf("it is on timeline %d, and the source's server on timeline %d", is.timeline, primary.timeline), "let it follow the source's server, or name one that does")
	}
	return nil
}

// How long a chunk waits for the standby: as long as it replays, and no longer than its
// window should be open.
const (
	replayPatience = 30 * time.Second
	replayStall    = time.Second
	replayPoll     = 5 * time.Millisecond
)

const replaySQL = "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()"

// await waits until the standby has replayed the log up to a place. Else it says why the
// copy pauses.
func (s *standby) await(ctx context.Context, place receivedLSN) (paused string, err error) {
	began := time.Now()
	moved, last := began, lsn(0)
	for {
		at, err := s.replayed(ctx)
		switch {
		case err != nil:
			return "", err
		case receivedLSN(at) >= place:
			return "", nil
		case at != last:
			moved, last = time.Now(), at
		case time.Since(moved) > replayStall:
			return fmt.Sprintf("the standby of snapshot.url does not replay: it is at %s, and the stream at %s", at, lsn(place)), nil
		}
		if time.Since(began) > replayPatience {
			return fmt.Sprintf("the standby of snapshot.url is %s behind: it is at %s, and the stream is beyond %s", replayPatience, at, lsn(place)), nil
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(replayPoll):
		}
	}
}

// replayed gives the place up to which the standby has replayed the log.
func (s *standby) replayed(ctx context.Context) (lsn, error) {
	rs, err := pgsql.SimpleQuery(ctx, s.conn, replaySQL)
	if err != nil {
		return 0, fmt.Errorf("see how far the standby of snapshot.url is: %w", err)
	}
	if rs.Text(0, 0) != "t" {
		s.close()
		return 0, errPromoted
	}
	return parseLSN(rs.Text(0, 1))
}

// farBehind is how much log a standby may still have to replay before Check tells.
const farBehind = 64 << 20

// look says how the standby is, for Check: whose it is, and how far behind.
func (s *standby) look(ctx context.Context, primary system, side *side) (found []pipeline.Finding) {
	tell := func(severity pipeline.Severity, what, mend string, err error) []pipeline.Finding {
		return []pipeline.Finding{pipeline.Found(severity, pipeline.Refusal{Code: CodeSnapshotStandby, Where: "snapshot.url", What: what, Mend: mend, Err: err})}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
	defer cancel()
	defer s.close()
	err := s.open(ctx, primary)
	var r *pipeline.Refusal
	switch {
	case errors.As(err, &r) && r.Code == CodeSnapshotStandby:
		return fails(r)
	case err != nil:
		return tell(pipeline.Fails, "it cannot be asked, so that tables cannot be copied from it", "start the standby, correct snapshot.url, or let the user connect there as here", pgsql.WithoutValues(err))
	}
	rs, err := side.query(ctx, "SELECT pg_current_wal_flush_lsn()")
	if err != nil {
		return fails(err)
	}
	end, err1 := parseLSN(rs.Text(0, 0))
	at, err2 := s.replayed(ctx)
	switch {
	case errors.Is(err2, errPromoted):
		return tell(pipeline.Fails, "it is no standby", "name a standby of the source's server, or leave snapshot.url out", nil)
	case err1 != nil || err2 != nil:
		return tell(pipeline.Fails, "it does not say how far it is", "see that it is a standby that takes connections", errors.Join(err1, err2))
	case end > at+farBehind:
		return tell(pipeline.Warns, fmt.Sprintf("it is %d MiB of log behind, which the copy of tables waits for", (end-at)>>20), "let it catch up; if its replay is paused, there: SELECT pg_wal_replay_resume();", nil)
	}
	return []pipeline.Finding{pipeline.Good("snapshot.url", fmt.Sprintf("it is a standby of the source's server, and has replayed the log up to %s of %s", at, end))}
}

// close ends the connection.
func (s *standby) close() {
	if s != nil {
		closeConn(s.conn)
		s.conn = nil
	}
}
