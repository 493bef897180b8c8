package preflight

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// An Outlook is what a check looks at besides the facts that every start reads:
// what will hurt later.
type Outlook struct {
	superuser                bool
	maxConnections, reserved int
	connections              int
	prepared                 *preparedFacts    // the oldest one that is old
	oldest                   *transactionFacts // the same, of those that run
	orphans                  []orphanSlot
	catalogAge               int64 // transactions that our slot keeps the catalog from forgetting
	retained                 int64 // bytes of log that our slot holds back; -1: there is none
	LargeObjects             bool
	Sequences                int
	Others                   []OtherRelation
}

// Terms are what of a source's configuration an outlook depends on.
type Terms struct {
	Slot           string
	OldTransaction time.Duration // from when on an open one is told of
	OldCatalog     int64         // transactions that a slot may keep the catalog from forgetting
	Connections    int           // that a start takes, at the most
}

type preparedFacts struct {
	gid, owner, database string
	age                  time.Duration
}

type transactionFacts struct {
	pid         int64
	user, state string
	age         time.Duration
}

type orphanSlot struct {
	name     string
	retained int64 // bytes
}

// An OtherRelation looks like a table in a query and is not in the log.
type OtherRelation struct {
	pgsql.TableName
	Kind string // pg_class.relkind: v, m, f
}

const outlookSQL = `
SELECT rolsuper, current_setting('max_connections'), current_setting('superuser_reserved_connections'),
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       coalesce((SELECT greatest(age(catalog_xmin), 0) FROM pg_replication_slots WHERE slot_name = $1), 0),
       coalesce((SELECT pg_wal_lsn_diff(w.lsn, restart_lsn)::bigint FROM pg_replication_slots WHERE slot_name = $1), -1),
       EXISTS (SELECT FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_sequence)
FROM pg_roles, (SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END AS lsn) w WHERE rolname = current_user`

// LoadOutlook asks for all of it, a few statements one after the other.
func LoadOutlook(ctx context.Context, t Terms, ask pgsql.Ask) (*Outlook, error) {
	rs, err := ask(ctx, outlookSQL, t.Slot)
	if err != nil {
		return nil, err
	}
	r := pgsql.Record{Cols: rs[0]}
	o := &Outlook{superuser: r.Bool(), maxConnections: int(r.Int()), reserved: int(r.Int()), connections: int(r.Int()),
		catalogAge: r.Int(), retained: r.Int(), LargeObjects: r.Bool(), Sequences: int(r.Int())}
	if err := o.loadTransactions(ctx, t, ask); err != nil {
		return nil, err
	}
	if err := o.loadOrphans(ctx, t, ask); err != nil {
		return nil, err
	}
	return o, o.loadOthers(ctx, ask)
}

// loadTransactions reads the oldest transactions that write. Of those of other
// users the server may not tell how old they are; these are left out.
func (o *Outlook) loadTransactions(ctx context.Context, t Terms, ask pgsql.Ask) error {
	old := strconv.FormatFloat(t.OldTransaction.Seconds(), 'f', 3, 64)
	rs, err := ask(ctx, `
		SELECT gid, owner, database, extract(epoch FROM now() - prepared)::bigint FROM pg_prepared_xacts
		WHERE prepared < now() - make_interval(secs => $1::float8) ORDER BY prepared LIMIT 1`, old)
	if err != nil {
		return err
	}
	if len(rs) == 1 {
		r := pgsql.Record{Cols: rs[0]}
		o.prepared = &preparedFacts{gid: r.Text(), owner: r.Text(), database: r.Text(), age: r.Seconds()}
	}
	rs, err = ask(ctx, `
		SELECT pid, coalesce(usename, '?'), coalesce(state, '?'), extract(epoch FROM now() - xact_start)::bigint FROM pg_stat_activity
		WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND xact_start < now() - make_interval(secs => $1::float8)
		ORDER BY xact_start LIMIT 1`, old)
	if err == nil && len(rs) == 1 {
		r := pgsql.Record{Cols: rs[0]}
		o.oldest = &transactionFacts{pid: r.Int(), user: r.Text(), state: r.Text(), age: r.Seconds()}
	}
	return err
}

// loadOrphans reads the slots of this database that nobody reads (P56).
func (o *Outlook) loadOrphans(ctx context.Context, t Terms, ask pgsql.Ask) error {
	rs, err := ask(ctx, `
		SELECT slot_name, coalesce(pg_wal_lsn_diff(w.lsn, restart_lsn), 0)::bigint
		FROM pg_replication_slots, (SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END AS lsn) w
		WHERE NOT active AND NOT temporary AND database = current_database() AND slot_name <> $1 ORDER BY slot_name`, t.Slot)
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		o.orphans = append(o.orphans, orphanSlot{name: r.Text(), retained: r.Int()})
	}
	return err
}

func (o *Outlook) loadOthers(ctx context.Context, ask pgsql.Ask) error {
	rs, err := ask(ctx, `
		SELECT n.nspname, c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1, 2`)
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		o.Others = append(o.Others, OtherRelation{pgsql.TableName{Schema: r.Text(), Name: r.Text()}, r.Text()})
	}
	return err
}

// Calm reports whether no transaction that writes, or is prepared, is old.
func (o *Outlook) Calm() bool { return o.oldest == nil && o.prepared == nil }

// Warnings are of the server as a whole.
func (o *Outlook) Warnings(of Terms, f *Server) (all []pipeline.Finding) {
	say := func(code pipeline.Code, where, what, mend string) {
		all = append(all, pipeline.Found(pipeline.Warns, pipeline.Refusal{Code: code, Where: where, What: what, Mend: mend}))
	}
	if o.superuser {
		say(CodeSuperuser, "user "+f.User, "it is a superuser, which is more than capturing needs",
			"make a role with the rights that a file of `evert init` lists in its comments, and write it into the url")
	}
	if free, need := o.maxConnections-o.reserved-o.connections, of.Connections; free < need {
		say(CodeNoFreeConnection, f.Database, fmt.Sprintf("%d connections are free and a start takes up to %d", max(free, 0), need),
			f.Platform.Set("max_connections", fmt.Sprint(o.maxConnections+need), true))
	}
	if p := o.prepared; p != nil { // P28
		say(CodePrepared, f.Database, fmt.Sprintf("transaction %q of %s in database %s is prepared since %s and holds back log and vacuum until it ends", p.gid, p.owner, p.database, p.age),
			"ROLLBACK PREPARED "+pgsql.QuoteLiteral(p.gid)+"; -- in database "+p.database+"; or COMMIT PREPARED, as whoever prepared it knows")
	}
	if t := o.oldest; t != nil { // P08
		say(CodeOldTransaction, f.Database, fmt.Sprintf("a transaction of %s (pid %d, %s) writes since %s; a new slot has to wait for it, and log is held back", t.user, t.pid, t.state, t.age),
			fmt.Sprintf("SELECT pg_terminate_backend(%d); -- or let it end", t.pid))
	}
	if o.catalogAge > of.OldCatalog { // P54
		say(CodeCatalogAge, "slot "+of.Slot, fmt.Sprintf("it keeps the catalog's dead rows of %d transactions, because it was not read for long", o.catalogAge),
			"start the daemon, so that it is read again; or drop the slot if it is not needed any more")
	}
	for _, slot := range o.orphans { // P56
		say(CodeOrphanSlot, "slot "+slot.name, fmt.Sprintf("nobody reads it now, and it holds back %d MB of log", slot.retained>>20),
			"SELECT pg_drop_replication_slot("+pgsql.QuoteLiteral(slot.name)+"); -- unless its reader comes back")
	}
	return all
}
