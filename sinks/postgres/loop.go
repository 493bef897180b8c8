package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Capture is a Postgres source of the same deployment.
type Capture struct {
	Source string
	Slot   string
	Match  func(schema, table string) bool
	URL    func(ctx context.Context) (string, error) // of its database; nil: only the slot tells whether that is the sink's
}

// notCaptured refuses to write a table that a source of the same deployment
// captures: every row would come back, and every move of a position would cause
// the next (P53).
func (t *Target) notCaptured(ctx context.Context) error {
	for _, s := range t.config.Captures {
		var caught []string
		for _, name := range []TableName{t.config.Table, fillName(t.config.Table), t.config.Positions} {
			if s.Match(name.Schema, name.Name) {
				caught = append(caught, name.String())
			}
		}
		if caught == nil {
			continue
		}
		here, err := t.writesTo(ctx, s)
		if err != nil {
			return err
		}
		if here {
			return t.config.refuse(CodeLoop, fmt.Sprintf("source %s captures %s, so that what is written there would come back without end", s.Source, strings.Join(caught, " and ")),
				"exclude_tables: ["+strings.Join(caught, ", ")+"]   # of source "+s.Source+"; or name a table in another schema")
		}
	}
	return nil
}

// writesTo reports whether the sink writes to the database of a source. Its slot tells,
// which no dump carries over; before that is made, both are asked which they are. A
// source that cannot be asked captures nothing now.
func (t *Target) writesTo(ctx context.Context, s Capture) (here bool, err error) {
	err = t.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database())", s.Slot).Scan(&here)
	if err != nil {
		return false, passing("look for the slots of sources", err)
	}
	if here || s.URL == nil {
		return here, nil
	}
	ours, err := identity(ctx, t.conn)
	if err != nil {
		return false, passing("ask which database this is", err)
	}
	theirs, err := s.identity(ctx)
	return err == nil && ours == theirs, nil
}

// identitySQL tells a database from every other one, by whatever address it is reached,
// and any role may ask. A copy of its server has the same system identifier, and was
// not started in the same microsecond.
const identitySQL = `
SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), oid, datname) FROM pg_database WHERE datname = current_database()`

func identity(ctx context.Context, conn *pgx.Conn) (is string, err error) {
	err = conn.QueryRow(ctx, identitySQL).Scan(&is)
	return is, err
}

// identityWait bounds how long a source's server is waited for.
const identityWait = 5 * time.Second

func (s *Capture) identity(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, identityWait)
	defer cancel()
	url, err := s.URL(ctx)
	if err != nil {
		return "", err
	}
	conf, err := pgx.ParseConfig(url)
	if err != nil {
		return "", err
	}
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec
	conf.RuntimeParams["application_name"] = "evert " + s.Source
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return "", err
	}
	defer goodbye(conn)
	return identity(ctx, conn)
}
