package mysql

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

var maria mysqltest.Shared

func TestMain(m *testing.M) {
	code := maria.Run(m)
	if unnumbered.server != nil {
		_ = unnumbered.server.Close()
	}
	os.Exit(code)
}

// patience bounds what a test waits for. It is long because machines are busy; whoever
// waits goes on as soon as the thing happens.
const patience = 3 * time.Minute

// replicas counts the readers of the log besides sources. Each has a server_id of its own:
// a server ends the older of two that have the same.
var replicas atomic.Uint32

func replicaID() uint32 { return 4_000_000 + replicas.Add(1) }

// A db is one database under a test's hand.
type db struct {
	*testing.T
	server *mysqlserver.Server
	name   string

	byPosition bool // places are files and positions
}

func newDB(t *testing.T) *db {
	t.Helper()
	if os.Getenv("EVERT_TEST_MYSQL_GTIDS") == "off" {
		return newUnnumberedDB(t)
	}
	server, name := maria.Database(t)
	d := &db{T: t, server: server, name: name}
	t.Cleanup(d.forgetXA)
	return d
}

// unnumbered is the server of the tests whose log has no GTIDs: MySQL's own. MariaDB has
// them always, and is read as if it had none.
var unnumbered struct {
	sync.Mutex
	server *mysqlserver.Server
	count  int
}

// newUnnumberedDB makes a database whose places are files and positions.
func newUnnumberedDB(t *testing.T) *db {
	t.Helper()
	d := &db{T: t, byPosition: true}
	if b := mysqltest.Binaries(t); b.MariaDB() {
		d.server, d.name = maria.Database(t)
		return d
	}
	unnumbered.Lock()
	defer unnumbered.Unlock()
	if unnumbered.server == nil {
		server, err := mysqlserver.Start(context.Background(), mysqltest.Binaries(t), mysqlserver.Options{Settings: map[string]string{"gtid-mode": "OFF"}})
		if err != nil {
			t.Fatal(err)
		}
		unnumbered.server = server
	}
	unnumbered.count++
	d.server, d.name = unnumbered.server, fmt.Sprintf("unnumbered_%d", unnumbered.count)
	d.do0("CREATE DATABASE " + d.name)
	t.Cleanup(d.forgetXA)
	return d
}

// under is the database under the hand of another test.
func (d *db) under(t *testing.T) *db {
	c := *d
	c.T = t
	return &c
}

// locks reports whether snapshots are placed by a lock: see openLocked.
func (d *db) locks() bool { return d.byPosition && !d.mariaDB() }

// do0 runs a statement in no database.
func (d *db) do0(sql string) {
	d.Helper()
	if _, err := d.server.Exec(d.Context(), "", sql); err != nil {
		d.Fatal(err)
	}
}

// forgetXA rolls back what a test that failed has left prepared: it would hold up the end
// of the database, and every copy of the tests that follow. Those that prepare are not
// beside others, so whatever is listed is the failed one's.
func (d *db) forgetXA() {
	for until := time.Now().Add(patience); d.Failed() && time.Now().Before(until); {
		all, err := d.preparedXA()
		if err != nil {
			d.Error(err)
		}
		if err != nil || len(all) == 0 {
			return
		}
		for _, name := range all { // one that its connection still has is listed again
			_, _ = d.server.Exec(context.Background(), "", "XA ROLLBACK "+name)
		}
	}
}

// preparedXA gives the names of prepared transactions as SQL writes them.
func (d *db) preparedXA() (all []string, err error) {
	sql := "XA RECOVER CONVERT XID"
	if d.mariaDB() {
		sql = "XA RECOVER FORMAT = 'SQL'"
	}
	r, err := d.server.Exec(context.Background(), "", sql)
	if err != nil {
		return nil, err
	}
	for i := range r.RowNumber() {
		format, _ := r.GetInt(i, 0)
		first, _ := r.GetInt(i, 1)
		name, _ := r.GetString(i, 3)
		if !d.mariaDB() { // 0x, and the digits of both parts
			name = fmt.Sprintf("X'%s',X'%s',%d", name[2:2+2*first], name[2+2*first:], format)
		}
		all = append(all, strings.Clone(name))
	}
	return all, nil
}

// do runs statements on one connection.
func (d *db) do(sql ...string) {
	d.Helper()
	if _, err := d.server.Exec(d.Context(), d.name, sql...); err != nil {
		d.Fatalf("%v\n%s", err, strings.Join(sql, ";\n"))
	}
}

// prepare leaves an XA transaction prepared, on a connection of its own. It returns when the
// server has taken the transaction off that connection: until then nobody else can end it
// (XAER_NOTA). One that a failed test leaves is rolled back, since it holds up every copy.
func (d *db) prepare(xid string, sql ...string) {
	d.Helper()
	conn, err := d.server.Connect(d.Context(), d.name)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _, _ = d.server.Exec(context.Background(), "", "XA ROLLBACK "+xid) })
	for _, text := range slices.Concat([]string{"XA START " + xid}, sql, []string{"XA END " + xid, "XA PREPARE " + xid}) {
		if _, err := conn.Execute(text); err != nil {
			_ = conn.Close()
			d.Fatalf("%v\n%s", err, text)
		}
	}
	gone := fmt.Sprintf("SELECT COUNT(*) FROM information_schema.processlist WHERE id = %d", conn.GetConnectionID())
	if err := conn.Close(); err != nil {
		d.Fatal(err)
	}
	for d.get(gone) != "0" {
		time.Sleep(time.Millisecond)
	}
}

// get gives the first value of an answer.
func (d *db) get(sql string) string {
	d.Helper()
	r, err := d.server.Exec(d.Context(), d.name, sql)
	if err != nil {
		d.Fatal(err)
	}
	v, err := r.GetString(0, 0)
	if err != nil {
		d.Fatal(err)
	}
	return v
}

// leastRights makes a user with the rights that capturing needs, and gives its URL.
func (d *db) leastRights() func(context.Context) (string, error) {
	d.Helper()
	who := "least_" + d.name + "@'127.0.0.1'"
	d.do("CREATE USER "+who+" IDENTIFIED BY 'least'", "GRANT SELECT ON "+d.name+".* TO "+who, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO "+who)
	if d.byPosition {
		d.do("GRANT LOCK TABLES ON " + d.name + ".* TO " + who)
	}
	d.Cleanup(func() { _, _ = d.server.Exec(context.Background(), "", "DROP USER "+who) })
	url := strings.Replace(strings.Replace(d.server.URL(d.name), mysqlserver.User+":", "least_"+d.name+":", 1), d.server.Password(), "least", 1)
	return func(context.Context) (string, error) { return url, nil }
}

func (d *db) mariaDB() bool { return d.server.Binaries().MariaDB() }

// place is where the log ends now.
func (d *db) place() string {
	switch {
	case d.byPosition:
		file, position := d.status()
		return fmt.Sprintf("%s:%d", file, position)
	case d.mariaDB():
		return d.get("SELECT @@gtid_binlog_pos")
	}
	return strings.ReplaceAll(d.get("SELECT @@gtid_executed"), "\n", "")
}

// newWords reports whether the server has the words of MySQL 8.4, in which no server is a
// master.
func (d *db) newWords() bool {
	return !d.mariaDB() && !strings.HasPrefix(d.server.Binaries().Version, "8.0.")
}

// status is where the log ends, as file and position.
func (d *db) status() (file string, position int64) {
	d.Helper()
	sql := "SHOW MASTER STATUS"
	if d.newWords() {
		sql = "SHOW BINARY LOG STATUS"
	}
	r, err := d.server.Exec(d.Context(), "", sql)
	if err != nil {
		d.Fatal(err)
	}
	file, _ = r.GetString(0, 0)
	position, _ = r.GetInt(0, 1)
	return file, position
}

// session opens a session as the source does.
func (d *db) session() *session {
	d.Helper()
	c := Config{URL: func(context.Context) (string, error) { return d.server.URL(d.name), nil }, ConnectTimeout: time.Minute}
	s, err := c.dial(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(s.close)
	return s
}

// begun gives a connection with an open transaction of these statements.
func (d *db) begun(sql ...string) *client.Conn {
	d.Helper()
	conn, err := d.server.Connect(d.Context(), d.name)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { conn.Close() })
	for _, sql := range append([]string{"BEGIN"}, sql...) {
		if _, err := conn.Execute(sql); err != nil {
			d.Fatal(err)
		}
	}
	return conn
}

// logged gives the events of the log since a place, up to the end of the log now.
func (d *db) logged(from string) []*replication.BinlogEvent {
	d.Helper()
	flavor, parse := mysql.MySQLFlavor, mysql.ParseMysqlGTIDSet
	if d.mariaDB() {
		flavor, parse = mysql.MariaDBFlavor, mysql.ParseMariadbGTIDSet
	}
	set, err := parse(from)
	if err != nil {
		d.Fatal(err)
	}
	end, err := parse(d.place())
	if err != nil {
		d.Fatal(err)
	}
	var port uint16
	_, _ = fmt.Sscanf(d.server.Address(), "127.0.0.1:%d", &port)
	syncer := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: replicaID(), Flavor: flavor, Host: "127.0.0.1", Port: port, User: mysqlserver.User, Password: d.server.Password(),
		DisableRetrySync: true, Logger: slog.New(slog.DiscardHandler), RowsEventDecodeFunc: leaveRows,
	})
	defer syncer.Close()
	stream, err := syncer.StartSyncGTID(set)
	if err != nil {
		d.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(d.Context(), patience)
	defer cancel()
	var out []*replication.BinlogEvent
	for {
		e, err := stream.GetEvent(ctx)
		if err != nil {
			d.Fatal(err)
		}
		out = append(out, e)
		var reached mysql.GTIDSet
		switch e := e.Event.(type) {
		case *replication.XIDEvent:
			reached = e.GSet
		case *replication.QueryEvent:
			reached = e.GSet
			if string(e.Query) == "BEGIN" {
				reached = nil
			}
		}
		if reached != nil && reached.Contain(end) {
			return out
		}
	}
}
