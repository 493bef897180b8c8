package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Generator writes transactions. Set it up, run it, and read its History.
type Generator struct {
	Seed       uint64
	Sessions   int           // connections that write at the same time; 2 if 0
	Rows       int           // about how many rows a session keeps in a table; 60 if 0
	Wide       int           // about how many rows a wide transaction has; 400 if 0
	WideShare  int           // how many of a thousand transactions are wide; 4 if 0
	Pace       time.Duration // between two transactions of a session
	NoTruncate bool

	History History

	url      string
	sessions []*session
	ids      atomic.Int64
	bulk     int64 // rows of table bulk
}

type session struct {
	g      *Generator
	number int
	rng    *rand.Rand
	state  state
	tables []Table
}

func (s *session) seed() int64 { return s.rng.Int64N(1 << 53) }

// Setup makes the tables in the database and puts rows into them: each session's
// first ones, and bulk rows into table bulk.
func (g *Generator) Setup(ctx context.Context, url string, bulk int64) error {
	g.Sessions, g.Rows, g.Wide, g.WideShare = orElse(g.Sessions, 2), orElse(g.Rows, 60), orElse(g.Wide, 400), orElse(g.WideShare, 4)
	g.url = url
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	ddl := "CREATE TYPE mood AS ENUM ('glad', 'sad', 'so so');"
	for _, t := range Tables() {
		ddl += t.ddl + ";"
	}
	if _, err := conn.PgConn().Exec(ctx, ddl).ReadAll(); err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	for n := range g.Sessions {
		s := g.session(n)
		g.sessions = append(g.sessions, s)
		if err := s.transact(ctx, conn, func(d *draft) bool { d.steps(g.Rows); return true }); err != nil {
			return err
		}
	}
	return g.Bulk(ctx, bulk)
}

func orElse(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}

func (g *Generator) session(n int) *session {
	names := []string{"accounts", "documents", "events"}
	if n == 0 {
		names = append(names, "scratch") // TRUNCATE takes what others hold; so nobody else does
	}
	s := &session{g: g, number: n, rng: rand.New(rand.NewPCG(g.Seed, uint64(n))), state: newState()}
	for _, t := range Tables() {
		if slices.Contains(names, t.Name) {
			s.tables = append(s.tables, t)
		}
	}
	return s
}

// Bulk inserts n rows in one transaction.
func (g *Generator) Bulk(ctx context.Context, n int64) error {
	if n == 0 {
		return nil
	}
	conn, err := pgx.Connect(ctx, g.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	s := &session{g: g, number: g.Sessions, state: newState()}
	first := g.bulk + 1
	g.bulk += n
	return s.transact(ctx, conn, func(d *draft) bool {
		d.exec(`INSERT INTO bulk SELECT g, 1, %d, g, '%s '||g, (g %% 1000000)/100.0,
			timestamptz '2020-01-01 00:00Z' + g * interval '1 second', g %% 2 = 0, repeat('x', (g %% 30)::int)
			FROM generate_series(%d::bigint, %d) g`, d.tx.ID, Canary, first, first+n-1)
		d.note(Change{Table: "bulk", Kind: Filled, First: first, Count: n})
		return true
	})
}

// Run writes until ctx ends, which is no error. It outlives restarts of the
// server. A transaction that has begun is finished first.
func (g *Generator) Run(ctx context.Context) error {
	errs := make([]error, len(g.sessions))
	var wg sync.WaitGroup
	for i, s := range g.sessions {
		wg.Go(func() { errs[i] = s.run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *session) run(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	var conn *pgx.Conn
	defer func() { closeConn(conn) }()
	for ctx.Err() == nil {
		if conn == nil {
			if conn = s.connect(ctx); conn == nil {
				return nil
			}
		}
		err := s.transact(work, conn, (*draft).fill)
		if errors.Is(err, errLost) {
			closeConn(conn)
			conn = nil
			continue
		}
		if err != nil {
			return err
		}
		pause(ctx, s.g.Pace)
	}
	return nil
}

func closeConn(conn *pgx.Conn) {
	if conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// connect tries until there is a connection or ctx ends.
func (s *session) connect(ctx context.Context) *pgx.Conn {
	for ctx.Err() == nil {
		if conn, err := pgx.Connect(ctx, s.g.url); err == nil {
			return conn
		}
		pause(ctx, 20*time.Millisecond)
	}
	return nil
}

// errLost says that the connection is gone and the outcome is known.
var errLost = errors.New("connection lost")

// transact puts together a transaction, executes it and notes it if it
// committed.
func (s *session) transact(ctx context.Context, conn *pgx.Conn, fill func(*draft) bool) error {
	before := s.state.clone()
	d := &draft{session: s, tx: Tx{ID: s.g.ids.Add(1), Session: s.number}}
	d.exec("BEGIN")
	d.exec("INSERT INTO ledger VALUES (%d, %d, '%s')", d.tx.ID, s.number, Canary)
	d.note(Change{Table: "ledger", Kind: Created, Key: fmt.Sprint(d.tx.ID)})
	commit := fill(d)
	d.exec("%s", map[bool]string{true: "COMMIT", false: "ROLLBACK"}[commit])
	_, err := conn.PgConn().Exec(ctx, d.sql.String()).ReadAll()
	if err != nil && !conn.IsClosed() && !conn.PgConn().IsClosed() {
		return fmt.Errorf("transaction %d: %w", d.tx.ID, err)
	}
	if err != nil && commit {
		if commit, err = s.committed(ctx, d.tx.ID); err != nil {
			return err
		}
		err = errLost
	}
	if !commit {
		before.keepNumbers(s.state)
		s.state = before
	} else {
		s.g.History.add(d.tx)
	}
	if err != nil {
		return errLost
	}
	return nil
}

// committed looks up the outcome of a transaction whose connection broke.
func (s *session) committed(ctx context.Context, id int64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		conn := s.connect(ctx)
		if conn == nil {
			return false, fmt.Errorf("transaction %d: the server does not come back", id)
		}
		var found bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM ledger WHERE tx = $1)", id).Scan(&found)
		closeConn(conn)
		if err == nil {
			return found, nil
		}
	}
}
