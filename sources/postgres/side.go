package postgres

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A side is the plain connection beside the stream: catalog, statistics, single
// rows. It is made when first used and again after it broke. Safe for concurrent
// use; uses wait for each other.
type side struct {
	config *Config
	fixed  bool // conn is one of somebody else, and another one would not do
	mu     sync.Mutex
	conn   *pgconn.PgConn
	brief  bool // locks are waited for no longer than lockPatience
}

// use runs f with a live connection. A connection that broke while it lay idle
// is replaced and f runs again, once.
func (s *side) use(ctx context.Context, f func(conn *pgconn.PgConn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fixed {
		return f(s.conn)
	}
	reused := s.conn != nil && !s.conn.IsClosed()
	if !reused {
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	err := f(s.conn)
	if err == nil || !reused || !s.conn.IsClosed() || ctx.Err() != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	return f(s.conn)
}

func (s *side) connect(ctx context.Context) (err error) {
	closeConn(s.conn) // it is lost
	if s.brief {
		s.conn, err = s.config.connectBriefly(ctx)
	} else {
		s.conn, err = s.config.connect(ctx, false)
	}
	return err
}

// waitBriefly lets no use wait for a lock longer than lockPatience from here on, since
// all others wait for it.
func (s *side) waitBriefly(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.brief = true
	if s.conn == nil {
		return
	}
	if err := waitBriefly(ctx, s.conn); err != nil {
		closeConn(s.conn) // the next use makes another one
		s.conn = nil
	}
}

func (s *side) query(ctx context.Context, sql string, args ...string) (out pgsql.Rows, err error) {
	err = s.use(ctx, func(conn *pgconn.PgConn) error {
		out, err = pgsql.Query(ctx, conn, sql, args...)
		return err
	})
	return out, err
}

func (s *side) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	closeConn(s.conn)
	s.conn = nil
}
