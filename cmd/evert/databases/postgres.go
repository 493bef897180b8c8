package databases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// codeSlotKept says that a slot could not be dropped.
const codeSlotKept pipeline.Code = "SLOT_KEPT"

// postgresDatabase is a configured source of the kind postgres.
type postgresDatabase struct {
	Place
	pg *configs.Postgres
}

func openPostgres(p Place) (Database, error) {
	return &postgresDatabase{Place: p, pg: p.source().Postgres}, nil
}

// url gives the connection string; secrets are read anew each time.
func (d *postgresDatabase) url(context.Context) (string, error) {
	return configs.Revealed(d.pg.Connect())
}

// settings says the source's section of the file in the source's own words.
func (d *postgresDatabase) settings() postgres.Config {
	// A batch is never more than a commit may take (I3).
	batchRows := min(d.Config.Limits.BatchRows, d.source().MaxCommitRows)
	c := postgres.Config{
		Name: d.Name, URL: d.url, Slot: d.pg.Slot, Publication: d.pg.Publication,
		Match: func(schema, table string) bool {
			return configs.Captures(d.pg.Tables, d.pg.ExcludeTables, schema, table)
		},
		Keys:            func(schema, table string) []string { return d.source().For(schema, table).Key },
		TextArrays:      func(schema, table string) bool { return d.source().For(schema, table).Arrays == "text" },
		Rank:            d.pg.Snapshot.Rank,
		Where:           d.where,
		NoFailover:      !d.pg.Failover,
		InvalidText:     map[string]pgvalue.Invalid{"latin1": pgvalue.Latin1, "replace": pgvalue.Replace}[d.pg.InvalidText],
		SnapshotWorkers: d.pg.Snapshot.Workers,
		MaxRate:         int64(d.pg.Snapshot.MaxRate),
		ChunkAbove:      int64(d.pg.Snapshot.ChunksAbove),
		NoSnapshot:      d.pg.Snapshot.Mode == configs.Never,
		MaxRetainedWAL:  int64(d.pg.MaxRetainedWAL),
		ReleaseSlot:     d.pg.OnMaxRetainedWAL == configs.Release,
		Pause:           postgres.Pause{ReplicaLag: d.pg.Snapshot.Pause.ReplicaLag, RetainedWAL: int64(d.pg.Snapshot.Pause.RetainedWAL), OldestXmin: int64(d.pg.Snapshot.Pause.OldestXmin)},
		QueueBytes:      int64(d.Config.Limits.QueueBytes),
		BatchRows:       batchRows,
		BatchBytes:      int(min(d.Config.Limits.BatchBytes, d.source().MaxCommitBytes)),
		QueueBatches:    max(1, d.Config.Limits.QueueRows/batchRows),
		SlotWait:        d.pg.SlotWait,
		SpillDir:        datadir.SpillPath(d.Config.DataDir, d.Name),
		SpillBytes:      int64(d.Config.Limits.TransactionBytes),
		SpillMost:       int64(d.Config.Limits.SpillBytes),
		ValueBytes:      int(d.Config.Limits.ValueBytes),
		IdleInterval:    d.source().IdleInterval,
		BackoffMax:      d.source().ReconnectMax,
		ResetCommand:    "evert reset " + d.Name + " --resnapshot --yes",
		Log:             d.Log,
	}
	if d.pg.Snapshot.Window != "" {
		c.SnapshotDaytimes, _ = handover.ParseDaytimes(d.pg.Snapshot.Window) // was checked when it was read
	}
	if !d.pg.Snapshot.URL.IsZero() {
		c.SnapshotURL = func(context.Context) (string, error) { return configs.Revealed(d.pg.ConnectSnapshot()) }
	}
	for _, p := range d.pg.Tables {
		if schema, table, ok := p.Exact(); ok {
			c.Named = append(c.Named, pgsql.TableName{Schema: schema, Name: table})
		}
	}
	return c
}

// CodeNotDrained says that a source cannot be drained now.
const CodeNotDrained = postgres.CodeNotDrained

// postgresSource is a source that the monitor can ask.
type postgresSource struct {
	*postgres.Source
	queueBytes int64
}

func (d *postgresDatabase) Source() Source {
	c := d.settings()
	return postgresSource{postgres.New(c), c.QueueBytes}
}

// Drain implements Drainer.
func (s postgresSource) Drain(ctx context.Context, o api.Drain) (api.Drained, error) {
	d, err := s.Source.Drain(ctx, postgres.DrainOptions{WritersStopped: o.WritersStopped, UntilShutdown: o.UntilShutdown})
	return api.Drained{Position: d.Position, ReadOnly: d.Fenced, Next: d.Next}, err
}

// Facts says in the monitor's words what the source knows of itself.
func (s postgresSource) Facts() monitor.Facts {
	st := s.Stats()
	f := monitor.Facts{Connected: st.Connected, LastError: st.LastError, WaitingFor: st.WaitingFor,
		Fill: min(1, float64(st.QueueBytes)/float64(s.queueBytes))}
	for _, t := range st.Snapshot {
		f.Copies = append(f.Copies, monitor.TableCopy{Table: t.Table, Rows: t.Rows, Estimate: t.EstimatedRows, Done: t.Done})
	}
	return f
}

func (d *postgresDatabase) Check(ctx context.Context, from *pipeline.Resume) (Report, error) {
	checked, err := postgres.Check(ctx, d.settings(), from)
	r := Report{Found: checked.Findings}
	for _, t := range checked.Tables {
		r.Tables = append(r.Tables, TableName{t.Schema, t.Name})
	}
	return r, err
}

// dial opens a plain connection; the caller closes it.
func (d *postgresDatabase) dial(ctx context.Context) (*pgx.Conn, error) {
	url, err := d.url(ctx)
	if err != nil {
		return nil, err
	}
	conf, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	conf.ConnectTimeout = d.pg.ConnectTimeout
	conf.RuntimeParams["application_name"] = "evert " + d.Name
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec
	c, err := pgx.ConnectConfig(ctx, conf)
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && strings.HasPrefix(refused.Code, "28") {
		return nil, &pipeline.Refusal{Code: preflight.CodeAuth, Where: "user " + conf.User, What: "the server refuses it", Err: errors.New(refused.Message),
			Mend: "correct user and password of the url, or the server's pg_hba.conf"}
	}
	return c, err
}

// with runs f on a connection of its own.
func (d *postgresDatabase) with(ctx context.Context, f func(c *pgx.Conn) error) error {
	c, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer func() {
		goodbye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(goodbye)
	}()
	return f(c)
}

// probeSQL asks for the end of the log and for our slot. What lies flushed is
// what the server can send; safe_wal_size is null without a limit.
const probeSQL = `
SELECT e.lsn::text, coalesce((e.lsn - s.confirmed_flush_lsn)::bigint, 0), (e.lsn - s.restart_lsn)::bigint,
       %s, CASE WHEN s.slot_name IS NULL AND $2 <> '' THEN 'missing' ELSE %s END, coalesce(e.lsn > nullif($2, '')::pg_lsn, false), clock_timestamp()
FROM (SELECT pg_current_wal_flush_lsn() AS lsn) e LEFT JOIN pg_replication_slots s ON s.slot_name = $1`

func (d *postgresDatabase) Probe(ctx context.Context, committed string) (p monitor.Probe, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.pg.ConnectTimeout+10*time.Second)
	defer cancel()
	err = d.with(ctx, func(c *pgx.Conn) error {
		limit, status := "s.safe_wal_size", "coalesce(s.wal_status, '')"
		if major(c) < 13 {
			limit, status = "NULL::bigint", "''"
		}
		var clock time.Time
		asked := time.Now()
		err := c.QueryRow(ctx, fmt.Sprintf(probeSQL, limit, status), d.pg.Slot, committed).
			Scan(&p.End, &p.LagBytes, &p.RetainedBytes, &p.LimitBytes, &p.Slot, &p.Ahead, &clock)
		ahead := clock.Sub(asked.Add(time.Since(asked) / 2))
		p.ClockAhead = &ahead
		return err
	})
	return p, err
}

func major(c *pgx.Conn) int {
	var n int
	_, _ = fmt.Sscanf(c.PgConn().ParameterStatus("server_version"), "%d", &n)
	return n
}

// End gives the end of what is flushed. A server that refuses is asked again by
// Check, which knows the mend.
func (d *postgresDatabase) End(ctx context.Context) (end string, err error) {
	err = d.with(ctx, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&end)
	})
	if err == nil {
		return end, nil
	}
	found, checkErr := d.Check(ctx, nil)
	if r := pipeline.Failing(found.Found); r != nil {
		return "", r
	}
	return "", errors.Join(err, checkErr)
}

// Drop removes the slot. A slot in use is not ours to drop: the stage that used
// it has ended by now.
func (d *postgresDatabase) Drop(ctx context.Context, dry bool) (steps []api.Step, err error) {
	err = d.with(ctx, func(c *pgx.Conn) error {
		var found bool
		if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)", d.pg.Slot).Scan(&found); err != nil {
			return err
		}
		if !found {
			return nil
		}
		steps = append(steps, api.Step{Does: "drop replication slot", What: d.pg.Slot, Note: "a new one is made at the next start"})
		if dry {
			return nil
		}
		return d.dropSlot(ctx, c)
	})
	return steps, err
}

// slotInUse is the SQLSTATE of a slot that somebody reads.
const slotInUse = "55006"

// dropSlot waits for a walsender that is still ending.
func (d *postgresDatabase) dropSlot(ctx context.Context, c *pgx.Conn) error {
	for patience := 40; ; patience-- {
		_, err := c.Exec(ctx, "SELECT pg_drop_replication_slot($1)", d.pg.Slot)
		var refused *pgconn.PgError
		if err == nil || !errors.As(err, &refused) || refused.Code == "42704" {
			return ignoreGone(err, refused)
		}
		if refused.Code != slotInUse || patience == 0 {
			return d.slotKept(refused)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// slotKept says how a slot goes that we may not drop, or that somebody reads.
func (d *postgresDatabase) slotKept(refused *pgconn.PgError) error {
	slot := pgsql.QuoteLiteral(d.pg.Slot)
	r := &pipeline.Refusal{Code: codeSlotKept, Where: "slot " + d.pg.Slot, What: "it cannot be dropped", Err: errors.New(refused.Message),
		Mend: "SELECT pg_drop_replication_slot(" + slot + ");\nthen the same reset again"}
	if refused.Code == slotInUse {
		r.Mend = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = " + slot + ";\nthen the same reset again"
	}
	return r
}

func ignoreGone(err error, refused *pgconn.PgError) error {
	if refused != nil && refused.Code == "42704" {
		return nil
	}
	return err
}

// Tables gives the tables that would be captured now. What there is to say of them
// the source says.
func (d *postgresDatabase) Tables(ctx context.Context) ([]*schema.Table, error) {
	c := d.settings()
	c.Log = slog.New(slog.DiscardHandler)
	return postgres.Describe(ctx, c)
}
