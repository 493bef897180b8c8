package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A fence is what keeps a database from being written to, and who may write all the
// same, as one statement sees it.
//
//	ALTER DATABASE d SET default_transaction_read_only = on     sessions that begin from here on cannot write
//	sessions that began before                                  can, until they end
//	a role with a setting of its own                            can
//	subscriptions, whose workers do not ask for the setting     can
//	sinks of Evert, who say BEGIN READ WRITE                    can
//	who else says BEGIN READ WRITE                              can, and is not seen before it writes
//
// The setting is dumped, and pg_upgrade takes it along, so that it holds until it is
// reset, on the new server too.
type fence struct {
	database string
	on       bool
	seen     fenceSeen // it, now, by the server's clock
	roles    string    // that are excepted
	early    string    // sessions that are not known to have begun behind it, and workers of subscriptions
	subs     string    // subscriptions that are enabled
	sinks    string    // sessions of sinks
	writers  string    // transactions that write, or are prepared
}

// A fenceSeen is when a fence without a gap for roles was first seen, and which settings
// that was: those that were reset and set again meanwhile are another one.
type fenceSeen struct {
	since    time.Time
	settings string
}

// fenceSQL asks; $1 is a moment, $2 the settings that were seen then. What a session may
// not see of others counts as the worst. Autovacuum writes no row, and sessions of Evert's sources write
// none.
const fenceSQL = `
WITH settings AS (
       SELECT s.setdatabase, s.setrole, lower(split_part(c, '=', 2)) IN ('on', 'true', 'yes', '1') AS readonly
       FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE c LIKE 'default\_transaction\_read\_only=%'),
     here AS (SELECT oid FROM pg_database WHERE datname = current_database()),
     seen AS (
       SELECT coalesce(string_agg(concat_ws(' ', setdatabase, setrole, s.xmin), ', ' ORDER BY setdatabase, setrole), '') AS settings
       FROM pg_db_role_setting s, here WHERE setdatabase IN (0, here.oid)),
     all_others AS (
       SELECT a.pid, a.backend_start, a.backend_xid, coalesce(a.backend_type, 'client backend') AS kind, coalesce(a.application_name, '') LIKE 'evert sink %' AS sink,
              a.usename = current_user AND coalesce(a.application_name, '') LIKE 'evert %' AS evert,
              'pid ' || a.pid || ', user ' || coalesce(a.usename, '?') || ', application ' || quote_literal(coalesce(a.application_name, '')) AS who
       FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usename IS NOT NULL),
     others AS (SELECT * FROM all_others WHERE sink OR NOT evert)
SELECT current_database(), EXISTS (SELECT FROM settings, here WHERE setdatabase = oid AND setrole = 0 AND readonly), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, (SELECT settings FROM seen),
       coalesce((SELECT string_agg(DISTINCT r.rolname, ', ') FROM settings s JOIN pg_roles r ON r.oid = s.setrole, here WHERE s.setdatabase IN (0, here.oid) AND NOT readonly), ''),
       coalesce((SELECT string_agg(who, '; ') FROM (SELECT who FROM others, seen WHERE NOT sink AND kind NOT IN ('walsender', 'autovacuum worker', 'parallel worker')
         AND (kind LIKE 'logical replication%' OR settings <> $2::text OR coalesce(backend_start < to_timestamp($1::bigint / 1000000.0), true)) ORDER BY pid LIMIT 5) o), ''),
       coalesce((SELECT string_agg(quote_ident(subname), ', ' ORDER BY subname) FROM pg_subscription, here WHERE subdbid = here.oid AND subenabled), ''),
       coalesce((SELECT string_agg(who, '; ') FROM (SELECT who FROM others WHERE sink ORDER BY pid LIMIT 5) o), ''),
       concat_ws('; ', (SELECT string_agg(who, '; ') FROM (SELECT who FROM others WHERE backend_xid IS NOT NULL AND kind NOT LIKE 'autovacuum%' ORDER BY pid LIMIT 5) o),
         (SELECT string_agg('prepared transaction ' || quote_literal(gid), '; ') FROM pg_prepared_xacts WHERE database = current_database()))`

// lookAtFence asks who may write. before is what was seen of the fence before; zero:
// nothing, so that every session may have begun before it.
func (s *Source) lookAtFence(ctx context.Context, before fenceSeen) (*fence, error) {
	rs, err := s.side.query(ctx, fenceSQL, fmt.Sprint(before.since.UnixMicro()), before.settings)
	if err != nil {
		return nil, fmt.Errorf("look who writes to the database: %w", err)
	}
	r := pgsql.Record{Cols: rs[0]}
	return &fence{
		database: r.Text(), on: r.Bool(), seen: fenceSeen{time.UnixMicro(r.Int()), r.Text()},
		roles: r.Text(), early: r.Text(), subs: r.Text(), sinks: r.Text(), writers: r.Text(),
	}, nil
}

// closeSQL is the statement that makes the database read-only, openSQL the one that
// opens it again.
func (f *fence) closeSQL() string {
	return "ALTER DATABASE " + pgsql.QuoteIdent(f.database) + " SET default_transaction_read_only = on;"
}

func (f *fence) openSQL() string {
	return behindFence("ALTER DATABASE " + pgsql.QuoteIdent(f.database) + " RESET default_transaction_read_only;")
}

// behindFence lets a statement change something behind a fence.
func behindFence(sql string) string { return "BEGIN READ WRITE; " + sql + " COMMIT;" }

// endSQL ends the other sessions of the database.
const endSQL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name NOT LIKE 'evert %';"

// shut says that sessions which are to begin can write, here or on the next server; nil: none
// that does not say READ WRITE.
func (f *fence) shut(source string) error {
	switch {
	case !f.on:
		return f.open(source, "it is not read-only, so that rows may be written behind the place at which reading would stop",
			f.closeSQL()+"\n"+endSQL+"\nor, if you have stopped all who write: evert drain "+source+" --writers-stopped")
	case f.roles != "":
		return f.open(source, "it is read-only, but not for roles with a setting of their own: "+f.roles, "ALTER ROLE "+firstOf(f.roles)+" RESET default_transaction_read_only;")
	}
	return nil
}

func (f *fence) open(source, what, mend string) error {
	return &pipeline.Refusal{Code: CodeNotDrained, Where: "database " + f.database, What: what, Mend: mend + "\nevert drain " + source}
}

// gap says how rows could be written; nil: by nobody who does not say READ WRITE.
func (f *fence) gap(source string) error {
	if err := f.shut(source); err != nil {
		return err
	}
	switch {
	case f.subs != "":
		return f.open(source, "subscriptions write to it although it is read-only: "+f.subs, behindFence("ALTER SUBSCRIPTION "+firstSub(f.subs)+" DISABLE;"))
	case f.sinks != "":
		return f.open(source, "sinks of Evert write to it although it is read-only: "+f.sinks, "evert pause SINK   # where it runs")
	case f.early != "":
		return f.open(source, "it is read-only, but not for sessions that may have begun before it was: "+f.early, endSQL)
	}
	return f.writing(source)
}

// writing refuses while somebody writes.
func (f *fence) writing(source string) error {
	if f.writers == "" {
		return nil
	}
	return &pipeline.Refusal{
		Code: CodeNotDrained, Where: "database " + f.database, What: "transactions that write are open: " + f.writers,
		Mend: "end them, or wait until they have ended\nevert drain " + source,
	}
}

// firstSub gives a subscription as SQL, which the list has first.
func firstSub(list string) string {
	first, _, _ := strings.Cut(list, ", ")
	return first
}

func firstOf(list string) string {
	first, _, _ := strings.Cut(list, ", ")
	return pgsql.QuoteIdent(first)
}
