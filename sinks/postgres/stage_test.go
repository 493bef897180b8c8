package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// A bank is a topic in memory: so many accounts, then transactions that move money
// between them, open and close some, and never change the sum.
type bank struct {
	table    *schema.Table
	accounts map[int64]int64
	opening  []pipeline.Change
	log      [][]pipeline.Change
}

const (
	bankAccounts = 30
	bankSum      = bankAccounts * 100
)

func newBank(random *rand.Rand, transactions int) *bank {
	b := &bank{table: shape(1, intColumn("id"), intColumn("balance")), accounts: map[int64]int64{}}
	for id := int64(1); id <= bankAccounts; id++ {
		b.opening = append(b.opening, b.set(id, 100))
	}
	for range transactions {
		b.log = append(b.log, b.transfer(random))
	}
	return b
}

func (b *bank) set(id, balance int64) pipeline.Change {
	b.accounts[id] = balance
	return put(b.table, schema.Int(id), schema.Int(balance))
}

func (b *bank) transfer(random *rand.Rand) []pipeline.Change {
	from, to := 1+random.Int64N(bankAccounts), 1+random.Int64N(bankAccounts)
	for from == to {
		to = 1 + random.Int64N(bankAccounts)
	}
	all, n := b.accounts[from], random.Int64N(20)
	if random.IntN(4) == 0 { // the account is closed
		delete(b.accounts, from)
		return []pipeline.Change{gone1(b.table, schema.Int(from)), b.set(to, b.accounts[to]+all)}
	}
	return []pipeline.Change{b.set(from, all-n), b.set(to, b.accounts[to]+n)}
}

// A bankSource reads a bank: the opening in two halves, then cuts of a few
// transactions each.
type bankSource struct {
	*bank
	random *rand.Rand
	filled int
	next   int
}

func (s *bankSource) Open(_ context.Context, from pipeline.Resume) error {
	switch {
	case from.IsZero():
	case from.At.IsZero():
		s.filled, _ = strconv.Atoi(string(from.State))
	default:
		s.filled, s.next = len(s.opening), int(from.At.Seq)-1
	}
	return nil
}

func (s *bankSource) Next(context.Context) (pipeline.Batch, error) {
	b := pipeline.Batch{Tables: []*schema.Table{s.table}}
	if s.filled < len(s.opening) {
		b.Changes = s.opening[s.filled : s.filled+len(s.opening)/2]
		s.filled += len(s.opening) / 2
		if b.End = (&pipeline.Resume{State: fmt.Append(nil, s.filled)}); s.filled == len(s.opening) {
			at := whole(1)
			b.End = &at
		}
		return b, nil
	}
	if s.next == len(s.log) {
		return b, io.EOF
	}
	for range min(1+s.random.IntN(5), len(s.log)-s.next) {
		b.Changes = append(b.Changes, s.log[s.next]...)
		s.next++
	}
	at := whole(uint64(s.next) + 1)
	b.End = &at
	return b, nil
}

func (s *bankSource) Ack(context.Context, pipeline.Position) error { return nil }
func (s *bankSource) Reached(string, string) (bool, error)         { return false, errors.ErrUnsupported }
func (s *bankSource) Close() error                                 { return nil }

// TestStage runs whole stages whose connections are cut and whose targets are
// begun anew at random, beside a reader that knows what every cut has in common.
func TestStage(t *testing.T) {
	t.Run("S12 R16 whole transactions under faults", func(t *testing.T) {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		d := newDB(t)
		cutter := newCutter(t, d.url)
		b := newBank(random, rounds(300, 10_000))
		r := d.run(func(c *Config) {
			c.URL = func(context.Context) (string, error) { return cutter.url, nil }
			c.SmallRows = 6 // some steps go by the temporary table
		})
		stop := d.readBank(t, seed)
		defer stop()
		faults, renewals := 0, 0
		for done := false; !done; {
			if cutter.arm(moment(random.IntN(int(moments)))); random.IntN(12) == 0 && renewals < 5 {
				if r.tryRenew() != nil { // it is cut as well
					faults++
					continue
				}
				renewals++
			}
			limits := pipeline.DefaultLimits()
			limits.Interval, limits.Quiet, limits.Copying = 0, 0, 0
			s := pipeline.Stage{Source: &bankSource{bank: b, random: random}, Sink: New(r.config), Limits: limits,
				Events: pipeline.Events{Committed: func(pipeline.Committed) {
					if random.IntN(15) == 0 {
						cutter.arm(moment(1 + random.IntN(int(moments)-1)))
					}
				}}}
			err := s.Run(t.Context())
			if done = err == nil; !done {
				faults++
			}
			if code := pipeline.CodeOf(err); code == CodeRow || code == CodeRows || code == CodeShape {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if faults == 0 {
			t.Errorf("seed %d: nothing was cut", seed)
		}
		for id, balance := range b.accounts {
			if got := d.get("SELECT balance FROM items WHERE id = " + strconv.FormatInt(id, 10)); got != strconv.FormatInt(balance, 10) {
				t.Errorf("seed %d: account %d has %s, want %d", seed, id, got, balance)
			}
		}
		d.wants("SELECT count(*) FROM items", strconv.Itoa(len(b.accounts)))
		t.Logf("seed %d: %d faults, %d renewals", seed, faults, renewals)
	})
}

// readBank looks at the table all the time; every look has to see whole
// transactions. The returned function ends it.
func (d *db) readBank(t *testing.T, seed uint64) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	conn := d.dial()
	var wg sync.WaitGroup
	looks := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			var sum int64
			err := conn.QueryRow(ctx, "SELECT sum(balance)::bigint FROM items").Scan(&sum)
			switch {
			case sqlState(err) == "42P01", ctx.Err() != nil: // not filled yet
			case err != nil && !errors.Is(err, pgx.ErrNoRows):
				t.Errorf("seed %d: read: %v", seed, err)
				return
			case sum != bankSum:
				t.Errorf("seed %d: a reader sees a sum of %d, want %d", seed, sum, bankSum)
				return
			default:
				looks++
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
		if looks == 0 {
			t.Errorf("seed %d: the reader saw nothing", seed)
		}
	}
}

// TestServerRestarts: the server goes down inside a large step and comes back.
func TestServerRestarts(t *testing.T) {
	d := newDB(t)
	r, s := d.run(func(c *Config) { c.BufferBytes = 1 }), items()
	r.filled(s, 2)
	r.write(rows(s, 1, 50, "second")...)
	d.do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'evert sink%' AND datname = current_database()")
	if code := pipeline.CodeOf(r.tryCommit()); code != CodeConnect && code != CodeBusy {
		t.Errorf("a commit over a connection that is gone is told with code %q", code)
	}
	if from := r.open(); from.At.Seq != 1 {
		t.Errorf("goes on from %+v", from)
	}
	r.write(rows(s, 1, 50, "second")...)
	r.commit()
	d.wants("SELECT v, count(*) FROM items GROUP BY v", "second|50")
}
