package mysql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// shortRetention of the log is warned of.
const shortRetention = 24 * time.Hour

// warnings are of what keeps no source from starting, and will hurt later.
func (f *facts) warnings(c *Config) (out []*pipeline.Refusal) {
	add := func(wrong bool, code pipeline.Code, where, what, mend string) {
		if wrong {
			out = append(out, &pipeline.Refusal{Code: code, Where: where, What: what, Mend: mend})
		}
	}
	set := "SET PERSIST "
	if f.mariaDB {
		set = "SET GLOBAL "
	}
	const lost = "after a power cut the server and the topics may differ in the last transactions"
	add(!f.is("sync_binlog", "1"), CodeSyncBinlog, "", lost+" (sync_binlog="+f.variables["sync_binlog"]+")", set+"sync_binlog = 1;")
	add(!f.is("innodb_flush_log_at_trx_commit", "1"), CodeSyncBinlog, "", lost+" (innodb_flush_log_at_trx_commit="+f.variables["innodb_flush_log_at_trx_commit"]+")", set+"innodb_flush_log_at_trx_commit = 1;")
	if f.byPosition && !f.mariaDB {
		off := gtidOff()
		off.What += ": its log is read by file and position, which no other server knows, so that after a failover the tables are copied again; and a copy locks its tables for a moment"
		out = append(out, off)
	}
	seconds, _ := strconv.ParseFloat(f.variables["binlog_expire_logs_seconds"], 64)
	kept := time.Duration(seconds) * time.Second
	add(kept > 0 && kept < shortRetention, CodeRetention, "", "the server keeps its log for "+kept.String()+", and a source that rests for longer has to be copied again", set+"binlog_expire_logs_seconds = 604800;")
	add(f.mariaDB && !f.is("gtid_strict_mode", "ON", "1"), CodeGTIDStrict, "", "the server takes transactions whose numbers do not rise (gtid_strict_mode=OFF)", set+"gtid_strict_mode = ON;")
	filters := f.replicaFilters()
	add(filters != "", CodeFilter, "", "the server is a replica that leaves out some of what its primary does ("+filters+")", "remove "+filters+" from [mysqld], then restart the server")
	for _, t := range f.chosen {
		add(!t.transactional(), CodeEngine, t.String(), "its engine, "+t.engine+", has no transactions", "ALTER TABLE "+t.sql()+" ENGINE = InnoDB;")
	}
	columns := f.zeroDates(c)
	add(columns != "", CodeZeroDate, "", "columns that may not be NULL can hold 0000-00-00, which would stop the source: "+columns,
		set+"sql_mode = CONCAT(@@GLOBAL.sql_mode, ',NO_ZERO_DATE,NO_ZERO_IN_DATE'); -- sessions that are open keep theirs\nor zero_dates: epoch")
	return out
}

// replicaFilters names what the server leaves out of what it replicates (M11).
func (f *facts) replicaFilters() string {
	var set []string
	for name, value := range f.variables {
		_, filter := strings.CutPrefix(name, "replicate_")
		if filter && value != "" && name != "replicate_annotate_row_events" && name != "replicate_events_marked_for_skip" {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	return strings.Join(set, ", ")
}

// transactional reports whether the table's engine has transactions (M12).
func (t *tableInfo) transactional() bool {
	return slices.Contains([]string{"innodb", "rocksdb", "tokudb", "ndbcluster", "columnstore"}, strings.ToLower(t.engine))
}

// namedColumns is how many columns a warning names.
const namedColumns = 5

// zeroDates names columns in which a date that the calendar does not have would stop
// the source (M25); empty if there are none, or the server takes no such dates.
func (f *facts) zeroDates(c *Config) string {
	mode := "," + f.variables["sql_mode"] + ","
	if c.ZeroDates != binlogvalue.ZeroNull || strings.Contains(mode, ",NO_ZERO_DATE,") && strings.Contains(mode, ",NO_ZERO_IN_DATE,") {
		return ""
	}
	var names []string
	for _, t := range f.chosen {
		for i := range t.columns {
			if holdsDates(&t.columns[i]) && !t.columns[i].Nullable {
				names = append(names, t.String()+"."+t.columns[i].Name)
			}
		}
	}
	if more := len(names) - namedColumns; more > 0 {
		names = append(names[:namedColumns], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func holdsDates(c *binlogvalue.Column) bool {
	return slices.Contains([]binlogvalue.Type{binlogvalue.Date, binlogvalue.Datetime2, binlogvalue.Timestamp2}, c.Type)
}

// idTaken refuses a server_id that somebody else has (M19). Those of other readers are
// known where the user may ask for them.
func (f *facts) idTaken(c *Config) []error {
	taken := func(by string) []error {
		return []error{&pipeline.Refusal{Code: CodeServerID, What: fmt.Sprintf("server_id %d is that of %s", c.ServerID, by), Mend: "server_id: " + fmt.Sprint(serverIDOf(c.Name+" again"))}}
	}
	id := fmt.Sprint(c.ServerID)
	if f.is("server_id", id) {
		return taken("the server itself")
	}
	for _, r := range f.readers {
		if r.id == id && r.host != reportedHost {
			return taken("a replica on " + r.host)
		}
	}
	return nil
}
