package databases

import (
	"context"
	"hash/fnv"
	"log/slog"
	"slices"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/handover"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/mysql"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// mysqlDatabase is a configured source of the kind mysql.
type mysqlDatabase struct {
	Place
	my *configs.MySQL
}

func openMySQL(p Place) (Database, error) {
	return &mysqlDatabase{Place: p, my: p.source().MySQL}, nil
}

// url gives the connection string; secrets are read anew each time.
func (d *mysqlDatabase) url(context.Context) (string, error) {
	return configs.Revealed(d.my.Connect())
}

// hides reports whether a value of a table is masked behind the source.
func (d *mysqlDatabase) hides(database, table string) bool {
	masks := func(t configs.Transform) bool { return t.Mask != nil }
	return len(d.source().For(database, table).Columns) > 0 || slices.ContainsFunc(d.source().Transforms, masks)
}

// settings says the source's section of the file in the source's own words.
func (d *mysqlDatabase) settings() mysql.Config {
	// A batch is never more than a commit may take (I3).
	batchRows := min(d.Config.Limits.BatchRows, d.source().MaxCommitRows)
	c := mysql.Config{
		Name: d.Name, URL: d.url, ServerID: d.serverID(), ZeroDates: binlogvalue.ZeroNull, AcceptCascades: d.my.FKCascades == configs.Accept,
		Match: func(database, table string) bool {
			return configs.Captures(d.my.Tables, d.my.ExcludeTables, database, table)
		},
		Hidden:          d.hides,
		Keys:            func(database, table string) []string { return d.source().For(database, table).Key },
		Rank:            d.my.Snapshot.Rank,
		Where:           d.where,
		SnapshotWorkers: d.my.Snapshot.Workers,
		ChunkAbove:      int64(d.my.Snapshot.ChunksAbove),
		SpillDir:        datadir.SpillPath(d.Config.DataDir, d.Name),
		SpillMost:       int64(d.Config.Limits.SpillBytes),
		NoSnapshot:      d.my.Snapshot.Mode == configs.Never,
		MaxRate:         int64(d.my.Snapshot.MaxRate),
		Pause:           mysql.Pause{ReplicaLag: d.my.Snapshot.Pause.ReplicaLag, ThreadsRunning: d.my.Snapshot.Pause.ThreadsRunning, HistoryList: d.my.Snapshot.Pause.HistoryList},
		QueueBytes:      int64(d.Config.Limits.QueueBytes),
		BatchRows:       batchRows,
		BatchBytes:      int(min(d.Config.Limits.BatchBytes, d.source().MaxCommitBytes)),
		QueueBatches:    max(1, d.Config.Limits.QueueRows/batchRows),
		XABytes:         int64(d.Config.Limits.TransactionBytes),
		ConnectTimeout:  d.my.ConnectTimeout,
		IdleInterval:    d.source().IdleInterval,
		BackoffMax:      d.source().ReconnectMax,
		ResetCommand:    "evert reset " + d.Name + " --resnapshot --yes",
		Log:             d.Log,
	}
	if d.my.Snapshot.Window != "" {
		c.SnapshotDaytimes, _ = handover.ParseDaytimes(d.my.Snapshot.Window) // was checked when it was read
	}
	if d.my.ZeroDates == configs.ZeroEpoch {
		c.ZeroDates = binlogvalue.ZeroEpoch
	}
	for _, p := range d.my.Tables {
		if database, table, ok := p.Exact(); ok {
			c.Named = append(c.Named, mysql.TableName{Database: database, Table: table})
		}
	}
	return c
}

// serverID is that of the file, or one that differs between deployments and sources,
// from a range in which people do not number their servers.
func (d *mysqlDatabase) serverID() uint32 {
	if d.my.ServerID > 0 {
		return uint32(d.my.ServerID)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.Config.Name + "/" + d.Name))
	return 1<<31 | h.Sum32()>>1
}

// mysqlSource is a source that the monitor can ask.
type mysqlSource struct {
	*mysql.Source
	queueBytes int64
}

func (d *mysqlDatabase) Source() Source {
	c := d.settings()
	return mysqlSource{mysql.New(c), c.QueueBytes}
}

// Facts says in the monitor's words what the source knows of itself.
func (s mysqlSource) Facts() monitor.Facts {
	st := s.Stats()
	f := monitor.Facts{Connected: st.Connected, LastError: st.LastError, WaitingFor: st.WaitingFor, Fill: min(1, float64(st.QueueBytes)/float64(s.queueBytes))}
	for _, t := range st.Snapshot {
		f.Copies = append(f.Copies, monitor.TableCopy{Table: t.Table, Rows: t.Rows, Estimate: t.EstimatedRows, Done: t.Done})
	}
	return f
}

func (d *mysqlDatabase) Check(ctx context.Context, from *pipeline.Resume) (Report, error) {
	checked, err := mysql.Check(ctx, d.settings(), from)
	r := Report{Found: checked.Findings}
	for _, t := range checked.Tables {
		r.Tables = append(r.Tables, TableName{t.Database, t.Table})
	}
	return r, err
}

// Probe asks for the end of the log. The server keeps nothing for us.
func (d *mysqlDatabase) Probe(ctx context.Context, committed string) (p monitor.Probe, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.my.ConnectTimeout+10*time.Second)
	defer cancel()
	var ahead time.Duration
	if p.End, ahead, err = mysql.EndAndClock(ctx, d.settings()); err != nil {
		return p, err
	}
	if p.ClockAhead = &ahead; committed == "" {
		return p, nil
	}
	reached, err := mysql.Reached(committed, p.End)
	p.Ahead = !reached
	return p, err
}

// End gives the end of the log. A server that refuses is asked again by Check, which
// knows the mend.
func (d *mysqlDatabase) End(ctx context.Context) (string, error) {
	end, err := mysql.End(ctx, d.settings())
	if err == nil {
		return end, nil
	}
	found, checkErr := d.Check(ctx, nil)
	if r := pipeline.Failing(found.Found); r != nil && checkErr == nil {
		return "", r
	}
	return "", err
}

// Drop has nothing to remove: the server keeps nothing for its readers.
func (d *mysqlDatabase) Drop(context.Context, bool) ([]api.Step, error) { return nil, nil }

// Tables gives the tables that would be captured now.
func (d *mysqlDatabase) Tables(ctx context.Context) ([]*schema.Table, error) {
	c := d.settings()
	c.Log = slog.New(slog.DiscardHandler)
	return mysql.Describe(ctx, c)
}
