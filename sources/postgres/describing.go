package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// find gives the OID of a table that is captured, or could be, by its name as
// schema.table. The refusal says why it cannot be copied. Any goroutine may call it.
func (s *Source) find(ctx context.Context, name string) (uint32, pgsql.TableName, error) {
	all, err := loadTables(ctx, s.side, false)
	if err != nil {
		return 0, pgsql.TableName{}, err
	}
	i := slices.IndexFunc(all, func(t *tableInfo) bool { return t.Schema+"."+t.Name == name })
	switch {
	case i < 0:
		return 0, pgsql.TableName{}, &pipeline.Refusal{
			Code: CodeTableMissing, Where: name, What: "the table does not exist in database " + s.system.database,
			Mend: "correct its name, in the catalog's exact case, or create it",
		}
	case !s.config.captures(all[i].TableName):
		return 0, pgsql.TableName{}, all[i].refuse(CodeTableMissing, "the source does not capture it", "tables: ["+name+"]")
	case all[i].hidden(s.viaRoot):
		return 0, pgsql.TableName{}, all[i].otherName(&s.config)
	}
	err = s.outlast(ctx, func() error {
		_, _, err := s.catalog.shapeNow(ctx, s.side, all[i].oid)
		return err
	})
	return all[i].oid, all[i].TableName, err
}

// A describeJob describes a table that is to be copied, and publishes it if it is
// not.
type describeJob struct {
	source *Source
	oid    uint32

	// What came of it.
	err   error
	info  *tableInfo
	shape *shape // without a version
	mark  mark
	rows  int64 // the planner's estimate
	bytes int64
	place lsn // behind everything that it was read from
}

// run uses the connection of jobs: who holds a lock of the table holds up its copy
// alone.
func (j *describeJob) run(ctx context.Context, at *side) error {
	err := j.describe(ctx, at)
	if err == nil && !j.info.published {
		if err = j.source.publishLate(ctx, j.info); err == nil {
			err = j.describe(ctx, at)
		}
	}
	if err != nil {
		return err
	}
	rs, err := at.query(ctx, sizeSQL, strconv.FormatUint(uint64(j.oid), 10))
	if err != nil {
		return err
	}
	r := pgsql.Record{Cols: rs[0]}
	place, err := parseLSN(r.Text())
	j.place, j.rows, j.bytes = beforeHeader(place), r.Int(), r.Int()
	return err
}

const sizeSQL = `
SELECT pg_current_wal_insert_lsn(), coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint, coalesce(sum(pg_table_size(c.oid)), 0)
FROM pg_class c WHERE c.relkind = 'r' AND (c.oid = $1::oid OR c.oid IN (SELECT relid FROM pg_partition_tree($1::oid)))`

func (j *describeJob) describe(ctx context.Context, at *side) (err error) {
	s := j.source
	now, err := s.config.standings(ctx, at, s.version, []uint32{j.oid})
	if err != nil {
		return err
	}
	if j.info, j.shape, err = s.catalog.shapeNow(ctx, at, j.oid); err != nil {
		return err
	}
	switch st := now[j.oid]; {
	case st == nil || j.info == nil:
		return s.config.dropped(pgsql.TableName{Name: "table " + strconv.FormatUint(uint64(j.oid), 10)})
	case !s.config.captures(j.info.TableName):
		return j.info.refuse(CodeTableMissing, "the source does not capture it", "tables: ["+j.info.Schema+"."+j.info.Name+"]")
	case j.info.hidden(s.viaRoot):
		return j.info.otherName(&s.config)
	default:
		j.mark = st.mark
	}
	refused, err := s.config.checkWhere(ctx, at, []*tableInfo{j.info})
	return errors.Join(append(refused, err)...)
}

// publishLate adds a table to the publication while the source streams. It waits
// until nobody writes to the table, and lets nobody begin to meanwhile: servers
// before 13.21, 14.18, 15.13, 16.9 and 17.5 may not send what comes after, if a
// transaction has written to the table and is open when it is added
// (https://www.postgresql.org/docs/release/17.5/). Who writes waits for
// publishPatience at most, and is given way then. A user who may not is final; the
// server may be short of anything else for a while.
func (s *Source) publishLate(ctx context.Context, t *tableInfo) error {
	add := addTablesSQL(&s.config, []*tableInfo{t})
	sql := fmt.Sprintf("BEGIN; SET LOCAL lock_timeout = %d; LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE; %s COMMIT", publishPatience.Milliseconds(), t.SQL(), add)
	conn, err := s.config.connect(ctx, false)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	_, err = pgsql.SimpleQuery(ctx, conn, sql)
	switch pgsql.State(err) {
	case "":
		return err
	case "55P03":
		return errors.Join(errBusy, err)
	case "42501":
		refused := s.tableAdded(t)
		refused.Err = err
		return refused
	}
	return fmt.Errorf("publish %s: %w", t.TableName, err)
}

// publishPatience is how long writers may have to wait for a table to be published.
const publishPatience = 200 * time.Millisecond
