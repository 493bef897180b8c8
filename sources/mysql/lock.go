package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// MySQL writes a transaction to its log a moment before new snapshots show it, and without
// GTIDs nothing says when it does. So the tables of a snapshot are locked while it begins:
//
//	writers of the tables   ─── commit ──┤ wait             ├── commit ──►
//	lock                                 ├──────────────────┤
//	snapshot                                 place, begins ────────────────────►
//
// The lock is given when every transaction that changed the tables has ended, and until it
// is let go none can end: the snapshot shows of these tables just what lies before the place.

// lockPatience is how long a lock is waited for, in seconds, and so how long new writers may
// have to wait behind it: it is tried again later.
const lockPatience = 2

// lockTimeout is the number of the server's refusal to wait for longer.
const lockTimeout = 1205

// openLocked begins a consistent snapshot of w.tables, at its place.
func (w *copier) openLocked(ctx context.Context) error {
	lock, err := w.source.config.dial(ctx)
	if err != nil {
		return err
	}
	defer lock.close() // it lets go of the tables, whatever happens
	if err := w.sameServer(lock); err != nil {
		return err
	}
	var names []string
	for _, t := range w.tables {
		names = append(names, t.sql()+" READ")
	}
	for _, sql := range []string{fmt.Sprintf("SET SESSION lock_wait_timeout = %d", lockPatience), "LOCK TABLES " + strings.Join(names, ", ")} {
		if _, err := lock.query(ctx, sql); err != nil {
			return fmt.Errorf("lock the tables of a snapshot for a moment: %w", err)
		}
	}
	if w.at, err = lock.logEnd(ctx); err != nil {
		return err
	}
	if _, err := w.query(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
		return err
	}
	_, err = lock.query(ctx, "UNLOCK TABLES")
	return err
}

var errOther = errors.New("another server answered than the one whose log is read")

// sameServer is an error where a session is to another server than the worker's.
func (w *copier) sameServer(s *session) error {
	if s.server != w.server {
		return errOther
	}
	return nil
}

// locks looks for the right to lock tables, which places snapshots where there are no GTIDs.
func (f *facts) locks() []error {
	if !f.byPosition || f.mariaDB || strings.Contains(f.grants.list, "LOCK TABLES") || strings.Contains(f.grants.list, "ALL PRIVILEGES") {
		return nil
	}
	return []error{&pipeline.Refusal{
		Code: CodeRight, What: "the user lacks the right LOCK TABLES, by which snapshots are placed in a log without GTIDs", Mend: f.grants.statement("LOCK TABLES", "*.*"), // of a database it would hide what the user has by a pattern
	}}
}
