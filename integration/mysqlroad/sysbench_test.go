//go:build unix

package mysqlroad

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
)

// A sbtest is a database shaped by `sysbench oltp_read_write prepare` under its traffic:
// sysbench's own where it is installed, else the same statements from here.
type sbtest struct {
	*capture
	tables, rows, seconds int
}

const sbThreads = 4

// prepared · captured under load, copy and stream · the load ends · caught up → each
// topic, folded by key, is its table
func TestSysbenchEmbedded(t *testing.T) {
	t.Parallel()
	captureSysbench(t, "sb_embedded", nil)
}

func TestSysbenchKafka(t *testing.T) {
	t.Parallel()
	captureSysbench(t, "sb_kafka", []string{suite.StartKafka(t).Address})
}

func captureSysbench(t *testing.T, name string, brokers []string) {
	s := &sbtest{newCapture(t, maria.Server(t), name), 2, 1000, 2}
	if harness.Full() {
		s.tables, s.rows, s.seconds = 8, 50_000, 60
	}
	s.brokers, s.source = brokers, "      snapshot: {chunks_above: 64KiB}\n"
	s.prepare()
	d := s.run()
	d.Await(t, "the copy", says("snapshot begins"))
	s.load()
	d.Kill()
	s.catchUp()
	for n := range s.tables {
		s.equal(fmt.Sprint("sbtest", n+1))
	}
}

// sysbench gives the command, or nil where it is not installed.
func (s *sbtest) sysbench(args ...string) *exec.Cmd {
	path, err := exec.LookPath("sysbench")
	if err != nil {
		return nil
	}
	host, port, err := net.SplitHostPort(s.server.Address())
	if err != nil {
		s.Fatal(err)
	}
	all := []string{"oltp_read_write", "--db-driver=mysql", "--mysql-host=" + host, "--mysql-port=" + port, "--mysql-user=loader_" + s.database, "--mysql-password=" + password,
		"--mysql-db=" + s.database, fmt.Sprint("--tables=", s.tables), fmt.Sprint("--table-size=", s.rows), fmt.Sprint("--threads=", sbThreads), fmt.Sprint("--rand-seed=", 1+s.seed%(1<<30)),
		"--mysql-ignore-errors=1213,1020,1205", "--db-ps-mode=disable"}
	return exec.CommandContext(s.Context(), path, append(all, args...)...)
}

func (s *sbtest) runs(cmd *exec.Cmd) {
	s.Helper()
	if said, err := cmd.CombinedOutput(); err != nil {
		s.Fatalf("sysbench: %v\n%s", err, said)
	}
}

func (s *sbtest) prepare() {
	s.Helper()
	who := "loader_" + s.database + "@'127.0.0.1'"
	s.sql("", "CREATE USER "+who+" IDENTIFIED BY '"+password+"'", "GRANT ALL ON "+s.database+".* TO "+who)
	if cmd := s.sysbench("prepare"); cmd != nil {
		s.runs(cmd)
		return
	}
	s.Log("sysbench is not installed: its statements come from here")
	for n := range s.tables {
		table := fmt.Sprint("sbtest", n+1)
		s.sql(s.database, "CREATE TABLE "+table+" (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, k int NOT NULL DEFAULT 0, c char(120) NOT NULL DEFAULT '', pad char(60) NOT NULL DEFAULT '', KEY (k))")
		var rows []string
		for i := range s.rows {
			rows = append(rows, fmt.Sprintf("(%d, repeat('%d', 100), 'pad')", i, i%10))
		}
		s.sql(s.database, "INSERT INTO "+table+" (k, c, pad) VALUES "+strings.Join(rows, ","))
	}
}

// load is the traffic, up to its end.
func (s *sbtest) load() {
	s.Helper()
	if cmd := s.sysbench(fmt.Sprint("--time=", s.seconds), "run"); cmd != nil {
		s.runs(cmd)
		return
	}
	until := time.Now().Add(time.Duration(s.seconds) * time.Second)
	var group sync.WaitGroup
	for n := range sbThreads {
		group.Go(func() {
			if err := s.thread(rand.New(rand.NewPCG(s.seed, uint64(n))), until); err != nil {
				s.Errorf("%v (seed %d)", err, s.seed)
			}
		})
	}
	group.Wait()
}

// thread makes the transactions of oltp_read_write, of which a deadlock may end one.
func (s *sbtest) thread(random *rand.Rand, until time.Time) error {
	conn, err := s.server.Connect(s.Context(), s.database)
	if err != nil {
		return err
	}
	defer conn.Close()
	t := &teller{conn: conn}
	for time.Now().Before(until) {
		table, id, other := fmt.Sprint("sbtest", 1+random.IntN(s.tables)), 1+random.IntN(s.rows), 1+random.IntN(s.rows)
		err := t.again(func() error {
			return t.do("BEGIN", fmt.Sprintf("SELECT c FROM %s WHERE id = %d", table, id), fmt.Sprintf("UPDATE %s SET k = k + 1 WHERE id = %d", table, id),
				fmt.Sprintf("UPDATE %s SET c = repeat('%d', 100) WHERE id = %d", table, random.IntN(10), other),
				fmt.Sprintf("DELETE FROM %s WHERE id = %d", table, id), fmt.Sprintf("INSERT INTO %s (id, k, c, pad) VALUES (%d, %d, 'c', 'pad')", table, id, random.IntN(s.rows)), "COMMIT")
		})
		if err != nil {
			return err
		}
	}
	return nil
}
