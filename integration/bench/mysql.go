//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// A binlogTable is one whose rows are written into the binary log beforehand.
type binlogTable struct {
	name, columns, row string // row of seq, as SELECT takes it
	gate               float64
}

// narrowGate is what narrow rows have to come to, in rows/s on two cores.
const narrowGate = 120_000

func binlogTables() []binlogTable {
	return []binlogTable{
		{"narrow", "id int primary key, customer int not null, amount decimal(10,2) not null, state varchar(10) not null",
			"seq, seq % 1000, (seq % 100000) / 100, elt(1 + seq % 3, 'open', 'paid', 'sent')", narrowGate},
		{"wide", `id bigint primary key, customer int not null, state enum('open','paid','sent') not null, title varchar(80), amount decimal(12,2), tax decimal(12,4),
			paid tinyint(1), placed timestamp(3), sent datetime, due date, took time(3), weight double, share float, flags set('a','b','c'), code char(8) character set latin1,
			raw varbinary(40), year year, mask bit(12), note text, doc json`,
			`seq, seq % 1000, 1 + seq % 3, concat('order number ', seq), (seq % 100000) / 100, seq / 7,
			seq % 2, from_unixtime(1700000000 + seq), '2024-01-01' + interval seq second, '2024-01-01', sec_to_time(seq % 86400), seq / 7, seq / 9, seq % 8, hex(seq % 4096),
			unhex(md5(seq)), 2000 + seq % 100, seq % 4096, repeat('x', 100), json_object('n', seq, 'of', concat('c', seq % 1000))`, 0},
	}
}

// mysql writes the binary log of a MariaDB first, and then reads it by turns.
func (l *lab) mysql(ctx context.Context, res *results) error {
	b, err := mysqlserver.Find()
	if err != nil {
		return fmt.Errorf("%w\n  mend: %s", err, mysqlserver.InstallHint)
	}
	server, err := mysqlserver.Start(ctx, b, mysqlserver.Options{Settings: map[string]string{
		"innodb-flush-log-at-trx-commit": "0", "innodb-buffer-pool-size": "256M", "max-binlog-size": "1G", "max-connections": "50",
	}})
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := server.Exec(ctx, "", "CREATE DATABASE bench"); err != nil {
		return err
	}
	for _, t := range binlogTables() {
		if err := l.binlog(ctx, res, server, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// binlog measures one table, whose rows lie in files of the log of their own.
func (l *lab) binlog(ctx context.Context, res *results, server *mysqlserver.Server, t binlogTable) error {
	if _, err := server.Exec(ctx, "bench", "CREATE TABLE "+t.name+" ("+t.columns+")"); err != nil {
		return err
	}
	ours := make([]*deployment, l.repeats)
	for i := range ours {
		var err error
		if ours[i], err = l.mysqlDeployment(fmt.Sprintf("%s%d", t.name, i), server.URL("bench"), t.name); err != nil {
			return err
		}
		if _, err := ours[i].catchUp(ctx); err != nil { // copies the empty table
			return err
		}
	}
	r, err := server.Exec(ctx, "bench", "FLUSH BINARY LOGS", "SHOW MASTER STATUS")
	if err != nil {
		return err
	}
	file, err := r.GetString(0, 0)
	if err != nil {
		return err
	}
	for first := 1; first <= l.rows; first += transactionRows {
		if _, err := server.Exec(ctx, "bench", fmt.Sprintf("INSERT INTO %s SELECT %s FROM seq_%d_to_%d", t.name, t.row, first, first+transactionRows-1)); err != nil {
			return err
		}
	}
	var limits, times, users []time.Duration
	var peak int64
	for _, d := range ours {
		limit, err := l.readBinlog(ctx, server, file)
		if err != nil {
			return err
		}
		c, err := d.catchUp(ctx)
		if err != nil {
			return err
		}
		limits, times, users, peak = append(limits, limit), append(times, c.elapsed), append(users, c.user), max(peak, c.peak)
		if err := os.RemoveAll(d.dir); err != nil {
			return err
		}
	}
	name := "MariaDB, " + t.name + " rows"
	took, limit := median(times), median(limits)
	res.atLeast(t.gate, name, float64(l.rows)/took.Seconds(), "rows/s", fmt.Sprintf("%d rows in %s, start and end of the process included", l.rows, took.Round(time.Millisecond)))
	res.add(name+" ÷ mariadb-binlog", limit.Seconds()/took.Seconds(), "", "which reads the same files in "+limit.Round(time.Millisecond).String())
	res.add(name+", processor time", median(users).Seconds()*1e6/float64(l.rows), "s per million rows", "user and system")
	res.below(200, name+", peak memory", float64(peak)/1e6, "MB", "")
	return nil
}

// mysqlDeployment captures a table of the database bench.
func (l *lab) mysqlDeployment(name, url, table string) (*deployment, error) {
	d := &deployment{l: l, name: name, dir: filepath.Join(l.dir, name)}
	text := fmt.Sprintf("name: %s\ndata_dir: %s\nlogging: {level: warn}\nsources:\n  db:\n    mysql: {url: %q, tables: [bench.%s]}\nserve: {http: none}\n", name, d.data(), url, table)
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return nil, err
	}
	return d, os.WriteFile(d.config(), []byte(text), 0o600)
}

// readBinlog lets mariadb-binlog read the log from a file on, from the server, to
// nowhere.
func (l *lab) readBinlog(ctx context.Context, server *mysqlserver.Server, file string) (time.Duration, error) {
	program, err := exec.LookPath("mariadb-binlog")
	if err != nil {
		return 0, fmt.Errorf("%w\n  mend: %s", err, mysqlserver.InstallHint)
	}
	host, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, program, "--no-defaults", "--read-from-remote-server", "--to-last-log", "--host="+host, "--port="+port, "--user="+mysqlserver.User,
		"--result-file=/dev/null", file)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+server.Password())
	c, err := measure(cmd)
	return c.elapsed, err
}
