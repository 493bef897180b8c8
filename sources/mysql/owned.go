package mysql

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A transaction of MySQL can be seen a moment before its GTID is executed. A session owns
// the GTID meanwhile:
//
//	owned ──► seen by new snapshots ──► executed, not owned
//
// So a snapshot that was begun while nothing became executed has what was executed, and
// perhaps what was owned.

const (
	ownedPatience = 10 * time.Second // for transactions that commit, to end
	ownedPause    = time.Millisecond // between two looks
)

var ownedGTID = regexp.MustCompile(`:(\d+)#`)

// owned gives the GTIDs that sessions own, by number alone: who gave the number does not
// matter where one waits for it to go.
func (s *session) owned(ctx context.Context) (map[string]bool, error) {
	rows, err := s.query(ctx, "SELECT @@GLOBAL.gtid_owned")
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, m := range ownedGTID.FindAllStringSubmatch(rows.text(0, 0), -1) {
		out[m[1]] = true
	}
	return out, nil
}

// settled gives a place before which everything lies that a snapshot which exists can
// show. MariaDB's snapshots show what lies before their own.
func (w *copier) settled(ctx context.Context) (place, error) {
	if w.mariaDB || w.byPosition {
		return w.at, nil
	}
	doubtful, err := w.owned(ctx)
	for until := time.Now().Add(ownedPatience); err == nil && len(doubtful) > 0 && time.Now().Before(until); {
		if err = w.source.life.Sleep(ownedPause); err != nil {
			return place{}, err
		}
		var now map[string]bool
		now, err = w.owned(ctx)
		for number := range doubtful {
			if !now[number] {
				delete(doubtful, number)
			}
		}
	}
	switch {
	case err != nil:
		return place{}, err
	case len(doubtful) > 0:
		return place{}, errors.New("a session has owned a GTID for long without committing (gtid_next); a copy begins when it has ended")
	}
	rows, err := w.query(ctx, "SELECT @@GLOBAL.gtid_executed")
	if err != nil {
		return place{}, err
	}
	return parsePlace(rows.text(0, 0))
}

// openExact opens a snapshot that shows just what lies before its place: on MySQL one
// that was begun while nothing was committing, on MariaDB while no XA transaction was.
func (w *copier) openExact(ctx context.Context) error {
	if w.mariaDB {
		return w.openBesideXA(ctx)
	}
	if w.byPosition {
		return w.openLocked(ctx)
	}
	for {
		if err := w.open(ctx); err != nil {
			return err
		}
		owned, err := w.owned(ctx)
		if err != nil {
			return err
		}
		executed, err := w.query(ctx, "SELECT @@GLOBAL.gtid_executed")
		if err != nil {
			return err
		}
		now, err := parsePlace(executed.text(0, 0))
		if err != nil || len(owned) == 0 && w.at.contains(now) {
			return err
		}
		if err := w.letGo(ctx); err != nil {
			return err
		}
	}
}

// letGo ends a snapshot, to begin another a little later.
func (w *copier) letGo(ctx context.Context) error {
	if _, err := w.query(ctx, "ROLLBACK"); err != nil {
		return err
	}
	if err := pipeline.Pause(ctx, ownedPause); err != nil {
		return errors.Join(&pipeline.Refusal{Code: CodePinWaits, What: "transactions commit without a pause, and a snapshot with a known place waits for one", Mend: "try again when less is written"}, err)
	}
	return nil
}
