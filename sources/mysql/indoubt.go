package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// MariaDB writes an XA COMMIT to its log a moment before new snapshots show it, and lists
// the transaction as prepared meanwhile:
//
//	prepared, listed ──► in the log ──► seen by new snapshots ──► not listed
//
// So what was committed before a look at the list, and is not in it, is seen by a snapshot
// that is begun after the look.

// errInDoubt means that a snapshot may lack a transaction that lies before its place.
var errInDoubt = errors.New("an XA transaction is in the log that may not be seen yet; a snapshot waits for it")

// prepared lists the XA transactions that are prepared, as the log names them.
func (s *session) prepared(ctx context.Context) (names []string, err error) {
	rows, err := s.query(ctx, "XA RECOVER")
	for i := range rows {
		data, global := rows.text(i, 3), rows.int(i, 1)
		global = min(global, len(data))
		names = append(names, fmt.Sprintf("X'%x',X'%x',%d", data[:global], data[global:], rows.int(i, 0)))
	}
	return names, err
}

// clear is an error while one of the transactions that were committed is listed.
func (w *copier) clear(ctx context.Context, committed []string) error {
	if !w.mariaDB || len(committed) == 0 {
		return nil
	}
	listed, err := w.prepared(ctx)
	if err == nil && slices.ContainsFunc(listed, func(name string) bool { return slices.Contains(committed, name) }) {
		err = errInDoubt
	}
	return err
}

// openBesideXA opens a snapshot that shows just what lies before its place: one that was
// begun while no XA COMMIT began, nor ended of those that were prepared.
func (w *copier) openBesideXA(ctx context.Context) error {
	for {
		began, before, err := w.xaCommits(ctx)
		if err == nil {
			err = w.open(ctx)
		}
		if err != nil {
			return err
		}
		begins, after, err := w.xaCommits(ctx)
		if err != nil || begins == began && slices.Equal(before, after) {
			return err
		}
		if err := w.letGo(ctx); err != nil {
			return err
		}
	}
}

// xaCommits gives how many XA COMMITs have begun, and what is prepared, sorted.
func (w *copier) xaCommits(ctx context.Context) (begun string, prepared []string, err error) {
	rows, err := w.query(ctx, "SHOW GLOBAL STATUS LIKE 'Com_xa_commit'")
	if err != nil || len(rows) == 0 {
		return "", nil, err
	}
	prepared, err = w.session.prepared(ctx)
	slices.Sort(prepared)
	return rows.text(0, 1), prepared, err
}

// maxCommitted is how many names are remembered of XA transactions that were committed:
// more than can be between log and snapshot at a time.
const maxCommitted = 1024

// commits remembers a name.
func (p *prepared) commits(name string) {
	if len(p.committed) >= maxCommitted {
		p.committed = slices.Delete(p.committed, 0, maxCommitted/2)
	}
	p.committed = append(p.committed, name)
}

// doubtful are those that were committed last and were not prepared again since.
func (p *prepared) doubtful() []string {
	return slices.DeleteFunc(slices.Clone(p.committed), func(name string) bool {
		return slices.ContainsFunc(p.open, func(t *heldTx) bool { return t.name == name })
	})
}
