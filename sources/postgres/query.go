package postgres

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// rows is a small result, in text form.
type rows [][][]byte

func (r rows) text(row, col int) string {
	if row >= len(r) || col >= len(r[row]) {
		return ""
	}
	return string(r[row][col])
}

// query runs one statement with text parameters by the extended protocol.
func query(ctx context.Context, conn *pgconn.PgConn, sql string, args ...string) (rows, error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = []byte(a)
	}
	res := conn.ExecParams(ctx, sql, params, nil, nil, nil).Read()
	return res.Rows, res.Err
}

// simpleQuery runs one command by the simple protocol, the only one that a
// replication connection speaks.
func simpleQuery(ctx context.Context, conn *pgconn.PgConn, sql string) (rows, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	return results[len(results)-1].Rows, nil
}

// A record reads the columns of one row from left to right.
type record struct {
	cols [][]byte
	at   int
}

func (r *record) text() string {
	r.at++
	return string(r.cols[r.at-1])
}

func (r *record) bool() bool { return r.text() == "t" }

func (r *record) int() int64 {
	n, _ := strconv.ParseInt(r.text(), 10, 64) // NULL and absent count as 0
	return n
}

func (r *record) oid() uint32 { return uint32(r.int()) }

func oidList(oids []uint32) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, o := range oids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(o), 10))
	}
	b.WriteByte('}')
	return b.String()
}

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

func (s *side) query(ctx context.Context, sql string, args ...string) (out rows, err error) {
	err = s.use(ctx, func(conn *pgconn.PgConn) error {
		out, err = query(ctx, conn, sql, args...)
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
