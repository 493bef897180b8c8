//go:build unix

package mysqlroad

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

// A ledger is two tables that say the same: after each transaction the balances add up to
// the entries, and of a transfer all parts are there or none.
//
//	entries(id, transfer, part, parts, account, delta)     accounts(id, balance, note)
type ledger struct {
	*capture
	accounts int
}

const ledgerSessions = 3

// ledger fills its database with one.
func (c *capture) ledger(accounts int) *ledger {
	c.Helper()
	l := &ledger{c, accounts}
	l.sql(l.database,
		"CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, note varchar(200) NOT NULL)",
		"CREATE TABLE entries (id bigint PRIMARY KEY AUTO_INCREMENT, transfer bigint NOT NULL, part int NOT NULL, parts int NOT NULL, account int NOT NULL, delta int NOT NULL, KEY (transfer))",
	)
	var rows []string
	for i := range accounts {
		rows = append(rows, fmt.Sprintf("(%d, 0, repeat('n', %d))", i, i%200))
	}
	l.sql(l.database, "INSERT INTO accounts VALUES "+strings.Join(rows, ","))
	return l
}

// traffic transfers on a few sessions until it is stopped.
func (l *ledger) traffic() (stop func()) {
	end := make(chan struct{})
	var group sync.WaitGroup
	for n := range ledgerSessions {
		group.Go(func() {
			if err := l.session(n, end); err != nil {
				l.Errorf("session %d: %v (seed %d)", n, err, l.seed)
			}
		})
	}
	return func() { close(end); group.Wait() }
}

// A teller is one session: what it has transferred it may take back.
type teller struct {
	*ledger
	conn   *client.Conn
	random *rand.Rand
	number int
	next   int64
	made   []int64 // transfers that are there
	xa     string  // the name of the XA transaction; empty: it is none
}

func (l *ledger) session(number int, end <-chan struct{}) error {
	conn, err := l.server.Connect(l.Context(), l.database)
	if err != nil {
		return err
	}
	defer conn.Close()
	s := &teller{ledger: l, conn: conn, random: rand.New(rand.NewPCG(l.seed, uint64(number))), number: number, next: int64(number+1) * 1_000_000_000}
	pace := time.NewTicker(4 * time.Millisecond) // what the tellers do, not what the machine can
	defer pace.Stop()
	for {
		select {
		case <-end:
			return nil
		case <-pace.C:
		}
		if err := s.again(s.transaction); err != nil {
			return err
		}
	}
}

// again repeats a transaction that the server gave up for another's sake.
func (s *teller) again(transaction func() error) error {
	for {
		err := transaction()
		var my *mysql.MyError
		if !errors.As(err, &my) || my.Code != 1213 && my.Code != 1205 {
			return err
		}
		if err := s.rollBack(); err != nil {
			return err
		}
	}
}

// rollBack ends what the server gave up.
func (s *teller) rollBack() error {
	if s.xa == "" {
		return s.do("ROLLBACK")
	}
	_ = s.do("XA END " + s.xa) // which says again that it was given up
	return s.do("XA ROLLBACK " + s.xa)
}

func (s *teller) do(sql ...string) error {
	for _, text := range sql {
		if _, err := s.conn.Execute(text); err != nil {
			return fmt.Errorf("%.60s: %w", text, err)
		}
	}
	return nil
}

func (s *teller) transaction() error {
	s.xa = ""
	switch n := s.random.IntN(20); {
	case n == 0 && len(s.made) > 0:
		return s.takeBack()
	case n == 1 && len(s.made) > 0:
		return s.do("BEGIN", fmt.Sprintf("UPDATE entries SET id = -id WHERE transfer = %d", s.made[s.random.IntN(len(s.made))]), "COMMIT")
	case n == 2:
		return s.transfer(1+s.random.IntN(6), "BEGIN", "ROLLBACK")
	case n == 3: // M13
		s.xa = fmt.Sprintf("'%s-%d-%d'", s.database, s.number, s.next)
		return s.transfer(1+s.random.IntN(6), "XA BEGIN "+s.xa, "XA END "+s.xa, "XA PREPARE "+s.xa, "XA COMMIT "+s.xa)
	}
	return s.transfer(1+s.random.IntN(6), "BEGIN", "COMMIT")
}

// transfer makes one in so many parts.
func (s *teller) transfer(parts int, begin string, end ...string) error {
	s.next++
	sql := []string{begin}
	for part := range parts {
		account, delta := s.random.IntN(s.accounts), s.random.IntN(1000)-500
		sql = append(sql,
			fmt.Sprintf("INSERT INTO entries (transfer, part, parts, account, delta) VALUES (%d, %d, %d, %d, %d)", s.next, part, parts, account, delta),
			fmt.Sprintf("UPDATE accounts SET balance = balance + %d WHERE id = %d", delta, account))
	}
	err := s.do(append(sql, end...)...)
	if err == nil && end[0] != "ROLLBACK" {
		s.made = append(s.made, s.next)
	}
	return err
}

// takeBack deletes a transfer.
func (s *teller) takeBack() error {
	i := s.random.IntN(len(s.made))
	err := s.do("BEGIN",
		fmt.Sprintf("UPDATE accounts a JOIN (SELECT account, sum(delta) AS d FROM entries WHERE transfer = %d GROUP BY account) e ON e.account = a.id SET a.balance = a.balance - e.d", s.made[i]),
		fmt.Sprintf("DELETE FROM entries WHERE transfer = %d", s.made[i]), "COMMIT")
	if err == nil {
		s.made = append(s.made[:i], s.made[i+1:]...)
	}
	return err
}

// large is one transfer over so many accounts, in one transaction.
func (l *ledger) large(transfer int64, parts int) {
	l.Helper()
	var rows []string
	for part := range parts {
		rows = append(rows, fmt.Sprintf("(%d, %d, %d, %d, 1)", transfer, part, parts, part%l.accounts))
	}
	s := &teller{ledger: l}
	var err error
	if s.conn, err = l.server.Connect(l.Context(), l.database); err != nil {
		l.Fatal(err)
	}
	defer s.conn.Close()
	err = s.again(func() error {
		return s.do("BEGIN", "INSERT INTO entries (transfer, part, parts, account, delta) VALUES "+strings.Join(rows, ","),
			fmt.Sprintf("UPDATE accounts a JOIN (SELECT account, sum(delta) AS d FROM entries WHERE transfer = %d GROUP BY account) e ON e.account = a.id SET a.balance = a.balance + e.d", transfer), "COMMIT")
	})
	if err != nil {
		l.Fatal(err)
	}
}
