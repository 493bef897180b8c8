package mysql

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

// M23 a snapshot lies where its place says, also while others ask for the server's status:
// MariaDB puts each answer together in memory that its sessions share. Every transaction
// makes one row, so that rows and sequence numbers rise together.
func TestPlacesOfSnapshots(t *testing.T) {
	t.Parallel()
	if !mysqltest.Binaries(t).MariaDB() {
		return // MySQL is asked for the set of its transactions, before and behind
	}
	s := mysqltest.Start(t, mysqltest.Options{})
	if _, err := s.Exec(t.Context(), "", "CREATE DATABASE d", "CREATE TABLE d.rows_made (id bigint PRIMARY KEY AUTO_INCREMENT, v int NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	c := Config{URL: func(context.Context) (string, error) { return s.URL("d"), nil }, ConnectTimeout: time.Minute}
	dial := func() *session {
		side, err := c.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(side.close)
		return side
	}
	first, err := dial().logEnd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var others, readers sync.WaitGroup
	defer others.Wait()
	defer stop()
	for _, sql := range []string{"INSERT INTO d.rows_made (v) VALUES (1)", "INSERT INTO d.rows_made (v) VALUES (2)",
		"SHOW GLOBAL STATUS LIKE 'binlog_%'", "SHOW GLOBAL STATUS LIKE 'binlog_%'"} {
		side := dial()
		others.Go(func() { repeat(t, ctx, side, sql) })
	}
	for range 4 {
		w := &copier{session: dial(), source: &Source{}}
		readers.Go(func() {
			for range snapshotsEach {
				if err := w.lies(t.Context(), first); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	readers.Wait()
}

const snapshotsEach = 150

// repeat runs a statement until ctx ends.
func repeat(t *testing.T, ctx context.Context, side *session, sql string) {
	for ctx.Err() == nil {
		if _, err := side.query(t.Context(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
			return
		}
	}
}

// lies opens a snapshot, and says if it has other rows than there were transactions since
// a place.
func (w *copier) lies(ctx context.Context, first place) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	rows, err := w.query(ctx, "SELECT count(*) FROM d.rows_made")
	if err != nil {
		return err
	}
	has, err := strconv.ParseUint(rows.text(0, 0), 10, 64)
	if made := w.at.domains[0].seq - first.domains[0].seq; err == nil && has != made {
		err = fmt.Errorf("a snapshot at %s, %d transactions behind %s, has %d rows", w.at, made, first, has)
	}
	if err != nil {
		return err
	}
	_, err = w.query(ctx, "COMMIT")
	return err
}
