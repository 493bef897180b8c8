package mysql

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// facts is what a start depends on of the server.
type facts struct {
	mariaDB    bool
	version    string
	variables  map[string]string // global, by lower-case name
	grants     grants
	tables     []*tableInfo
	chosen     []*tableInfo
	filter     string      // what the server leaves out of its log
	byPosition bool        // its transactions have no GTIDs to go by
	end        place       // of its log, as file and position; where it is known
	readers    []logReader // of the log that are registered, if the user may ask
}

const variablesSQL = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'log_bin', 'binlog_format', 'binlog_row_image', 'binlog_row_metadata',
'binlog_row_value_options', 'gtid_mode', 'gtid_executed', 'gtid_purged', 'gtid_binlog_pos', 'gtid_binlog_state', 'gtid_slave_pos', 'server_id', 'server_uuid', 'server_uid',
'log_slave_updates', 'log_replica_updates', 'lower_case_table_names', 'binlog_expire_logs_seconds', 'sync_binlog', 'innodb_flush_log_at_trx_commit',
'gtid_strict_mode', 'sql_mode') OR Variable_name LIKE 'replicate\_%'`

func loadFacts(ctx context.Context, s *session) (*facts, error) {
	f := &facts{mariaDB: s.mariaDB, byPosition: s.byPosition, variables: map[string]string{}}
	rows, err := s.query(ctx, variablesSQL)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		f.variables[strings.ToLower(rows.text(i, 0))] = strings.ReplaceAll(rows.text(i, 1), "\n", "")
	}
	f.version = f.variables["version"]
	f.grants.load(ctx, s)
	f.filters(ctx, s)
	f.readers = loadReaders(ctx, s)
	f.tables, err = loadTables(ctx, s)
	return f, err
}

// filters reads what the server leaves out of its log; without the right to ask it is
// not known, which the check of rights tells.
func (f *facts) filters(ctx context.Context, s *session) {
	for _, sql := range []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"} {
		if rows, err := s.query(ctx, sql); err == nil {
			if len(rows) > 0 && len(rows[0]) > 3 {
				f.filter = strings.Trim(rows[0][2]+" "+rows[0][3], " ")
				f.end, _ = parsePlace(rows[0][0] + ":" + rows[0][1])
			}
			return
		}
	}
}

// A logReader is a reader of the log, as it has registered itself.
type logReader struct{ id, host string }

// reportedHost is what our own readers say of themselves.
const reportedHost = "evert"

// loadReaders asks for the readers of the log; a user needs no right to that, and
// without it they are not known.
func loadReaders(ctx context.Context, s *session) (out []logReader) {
	for _, sql := range []string{"SHOW REPLICAS", "SHOW SLAVE HOSTS"} {
		rows, err := s.query(ctx, sql)
		for i := range rows {
			out = append(out, logReader{rows.text(i, 0), rows.text(i, 1)})
		}
		if err == nil {
			break
		}
	}
	return out
}

// place is where the log ends.
func (f *facts) place() (place, error) {
	if f.mariaDB {
		return parsePlace(f.variables["gtid_binlog_pos"])
	}
	return parsePlace(f.variables["gtid_executed"])
}

// server is what tells the server from others.
func (f *facts) server() string {
	if f.mariaDB {
		return f.variables["server_uid"]
	}
	return f.variables["server_uuid"]
}

func (f *facts) is(name string, values ...string) bool {
	for _, v := range values {
		if strings.EqualFold(f.variables[name], v) {
			return true
		}
	}
	return false
}

// refusals gives every setting that keeps changes or their meaning out of the log,
// with the statement that mends it.
func (f *facts) refusals() []error {
	var out []error
	add := func(wrong bool, code pipeline.Code, what, mend string) {
		if wrong {
			out = append(out, &pipeline.Refusal{Code: code, What: what, Mend: mend})
		}
	}
	set := "SET PERSIST "
	if f.mariaDB {
		set = "SET GLOBAL "
	}
	add(f.tooOld(), CodeVersion, "the server is "+f.version+"; captured are MariaDB 10.6 and MySQL 8.0, and newer", "upgrade the server")
	add(!f.is("log_bin", "ON", "1"), CodeBinlogOff, "the server writes no binary log", "[mysqld]\nlog_bin = binlog\nserver_id = 1\n-- then restart the server")
	add(!f.is("binlog_format", "ROW"), CodeBinlogFormat, "changes are logged as statements (binlog_format="+f.variables["binlog_format"]+")", set+"binlog_format = 'ROW'; -- sessions that are open keep theirs")
	add(!f.is("binlog_row_image", "FULL"), CodeRowImage, "updates and deletes do not hold the whole row (binlog_row_image="+f.variables["binlog_row_image"]+")", set+"binlog_row_image = 'FULL'; -- sessions that are open keep theirs")
	add(!f.is("binlog_row_metadata", "FULL"), CodeRowMetadata, "the log does not name the columns of its rows (binlog_row_metadata="+f.variables["binlog_row_metadata"]+")", set+"binlog_row_metadata = 'FULL';")
	add(f.variables["binlog_row_value_options"] != "", CodePartialJSON, "updates hold parts of JSON documents (binlog_row_value_options)", set+"binlog_row_value_options = '';")
	updates := f.is("log_slave_updates", "ON", "1") || f.is("log_replica_updates", "ON", "1")
	add(!updates && f.variables["gtid_slave_pos"] != "", CodeReplica, "the server is a replica and does not log what it replicates (log_slave_updates=OFF)", "[mysqld]\nlog_slave_updates = ON\n-- then restart the server")
	add(f.filter != "", CodeFilter, "the server leaves databases out of its log, or logs some alone ("+f.filter+")", "remove binlog_do_db and binlog_ignore_db from [mysqld], then restart the server")
	return append(out, f.rights()...)
}

var versionNumber = regexp.MustCompile(`^(\d+)\.(\d+)`)

func (f *facts) tooOld() bool {
	m := versionNumber.FindStringSubmatch(f.version)
	if m == nil {
		return false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if f.mariaDB {
		return major < 10 || major == 10 && minor < 6
	}
	return major < 8
}

// names are those of the tables to capture.
func (f *facts) names() (out []TableName) {
	for _, t := range f.chosen {
		out = append(out, t.TableName)
	}
	return out
}

// choose picks the tables to capture and says what keeps one from it. A keyless table
// that matches a pattern is left out; one that is named is refused.
func (s *Source) choose(ctx context.Context, side *session) []error {
	var out []error
	f := s.facts
	for _, t := range f.tables {
		wanted, named := s.config.wants(t.TableName)
		if !wanted {
			continue
		}
		if err := t.describe(ctx, side, s.collations); err != nil {
			return append(out, err)
		}
		if err := s.collations.need(ctx, side, t.columns); err != nil {
			return append(out, err)
		}
		r := f.readable(ctx, side, t)
		if r != nil {
			out = append(out, r)
			continue
		}
		r = s.capturable(t)
		switch {
		case r == nil:
			f.chosen = append(f.chosen, t)
		case named || r.Code == CodeType:
			out = append(out, r)
		default:
			s.leaveOut(r)
		}
	}
	for _, n := range s.config.Named {
		if !f.has(n) {
			out = append(out, &pipeline.Refusal{
				Code: CodeTableMissing, Where: n.String(), What: "the table does not exist, or the user may not read it",
				Mend: f.grants.statement("SELECT", n.sql()) + "\nor correct its name, in the catalog's exact case, or create it",
			})
		}
	}
	slices.SortStableFunc(f.chosen, func(a, b *tableInfo) int {
		return cmp.Or(cmp.Compare(s.config.rank(a.TableName), s.config.rank(b.TableName)), cmp.Compare(b.bytes, a.bytes))
	})
	if len(f.chosen) == 0 && len(out) == 0 {
		out = append(out, &pipeline.Refusal{Code: CodeNoTables, What: "no table matches, or none of those that match can be captured", Mend: "tables: [database.table]; the user needs SELECT on them"})
	}
	if s.config.AcceptCascades {
		return out
	}
	for _, t := range f.chosen {
		out = append(out, t.cascades(ctx, side)...)
	}
	return out
}

// estimate is how many rows a table had at the start, as far as is known.
func (f *facts) estimate(n TableName) int64 {
	for _, t := range f.tables {
		if t.TableName == n {
			return t.rows
		}
	}
	return 0
}

func (f *facts) has(n TableName) bool {
	for _, t := range f.tables {
		if t.TableName == n {
			return true
		}
	}
	return false
}

func (s *Source) capturable(t *tableInfo) *pipeline.Refusal {
	if t.unknown != "" {
		return &pipeline.Refusal{Code: CodeType, Where: t.String(), What: "column " + t.unknown + " is of a type that cannot be captured", Mend: "exclude_tables: [" + t.String() + "]"}
	}
	_, r := t.keyed(s.config.keyOf(t.TableName))
	return r
}

// gap says why a server cannot go on from a place: it is another one, it is behind
// (M03), or it has thrown away what comes next (M01).
func (f *facts) gap(ctx context.Context, s *session, c *Config, was state, from place) ([]error, error) {
	switch {
	case was.MariaDB != f.mariaDB:
		return []error{otherServer(c, "the stored position is of another kind of server")}, nil
	case f.byPosition && from.log.isZero():
		return []error{gtidOff()}, nil
	case !f.byPosition && !from.log.isZero():
		return []error{otherServer(c, "the stored position is "+from.String()+", and the server numbers its transactions by now (gtid_mode)")}, nil
	case f.byPosition:
		return f.logGap(ctx, s, c, was, from)
	}
	have, err := f.place()
	if err == nil && !f.mariaDB && !have.contains(from) {
		have, err = s.executed(ctx, from)
	}
	if err != nil {
		return nil, err
	}
	return f.numberGap(c, have, from), nil
}

// executionPatience is how long a transaction that was in MySQL's log is waited for, in
// seconds. The server sends it to readers before it counts as executed, and with semi-synchronous
// replicas waits for one of them in between.
const executionPatience = 5

// executed gives what the server has executed, as soon as a place is in it.
func (s *session) executed(ctx context.Context, p place) (place, error) {
	sql := fmt.Sprintf("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %d)", quoteText(p.String()), executionPatience)
	if _, err := s.query(ctx, sql); err != nil {
		return place{}, err
	}
	return s.logEnd(ctx)
}

// numberGap is the gap where transactions have GTIDs, up to have.
func (f *facts) numberGap(c *Config, have, from place) []error {
	if !have.contains(from) || f.mariaDB && !f.knows(from) {
		return []error{otherServer(c, fmt.Sprintf("the stored position is %s, which the server does not have; its log ends at %s", from, have))}
	}
	if f.mariaDB {
		return nil // its log says so when it is read
	}
	purged, err := parsePlace(f.variables["gtid_purged"])
	if err == nil && !from.contains(purged) {
		return []error{purgedRefusal(c, from.String())}
	}
	return nil
}

// logGap is the gap where places are files and positions. They mean nothing on another
// server; that the log was reset since the stream tells, where it knows the file again.
func (f *facts) logGap(ctx context.Context, s *session, c *Config, was state, from place) ([]error, error) {
	if was.Server != f.server() {
		return []error{otherServer(c, "the stored position is "+from.String()+" of server "+was.Server+", and this is "+f.server())}, nil
	}
	logs, err := s.query(ctx, "SHOW BINARY LOGS")
	if err != nil {
		return nil, err
	}
	for i := range logs {
		size, err := strconv.ParseUint(logs.text(i, 1), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the size of %s: %w", logs.text(i, 0), err)
		}
		if logs.text(i, 0) == from.log.file() && from.log.offset <= size {
			return nil, nil
		}
	}
	if len(logs) > 0 {
		if first, ok := parseLogFile(logs.text(0, 0)); ok && first.reaches(from.log) {
			return []error{purgedRefusal(c, from.String())}, nil
		}
	}
	return []error{otherServer(c, fmt.Sprintf("the stored position is %s, which the server does not have; its log ends at %s", from, f.end))}, nil
}

// knows reports whether MariaDB's log has just the transactions of a place: the same
// sequence number of another server is another transaction.
func (f *facts) knows(p place) bool {
	last := map[domainGTID]uint64{}
	for _, text := range strings.Split(f.variables["gtid_binlog_state"], ",") {
		if g, err := parseDomainGTID(strings.TrimSpace(text)); err == nil {
			last[domainGTID{g.domain, g.server, 0}] = g.seq
		}
	}
	for _, g := range p.domains {
		if last[domainGTID{g.domain, g.server, 0}] < g.seq {
			return false
		}
	}
	return true
}

func otherServer(c *Config, what string) error {
	return &pipeline.Refusal{Code: CodeOtherServer, What: what, Mend: c.reset("correct the url\nor, if the server was replaced for good:")}
}

func purgedRefusal(c *Config, at string) error {
	return &pipeline.Refusal{Code: CodePurged, What: "the server has thrown away the log behind " + at, Mend: c.reset()}
}
