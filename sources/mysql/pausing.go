package mysql

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Pause says when tables are not copied in chunks, so that the server has time for
// others. Zero fields do not hold anything up.
type Pause struct {
	ReplicaLag     time.Duration // while the server is a replica and so much behind, or does not replicate
	ThreadsRunning int           // while more statements run
	HistoryList    int           // while InnoDB keeps more transactions for those who read an old state
}

// mayRead reports whether chunks with rows are read at this time of the day.
func (c *copies) mayRead(t *copying) bool {
	if !t.readsRows() {
		return true
	}
	now := c.source.config.Now()
	left := c.source.config.SnapshotDaytimes.Until(now)
	if left == 0 {
		return true
	}
	c.rest(t, min(left, c.source.config.PausePoll), "the copy of tables goes on at "+now.Add(left).Format("15:04"))
	return false
}

// readsRows reports whether the next chunk has rows, and is no description alone.
func (t *copying) readsRows() bool { return t.Begun && !t.Empty && !t.isLook }

// rest lets a copy wait for others, and tells why.
func (c *copies) rest(t *copying, wait time.Duration, why string) {
	c.pause(t, wait)
	t.waits = why
	c.source.stats.waitFor(why)
}

// goesOn takes back what rest told.
func (c *copies) goesOn(t *copying) {
	if t.waits != "" {
		t.waits = ""
		c.source.stats.waitFor("")
	}
}

// paused says why no chunk is to be read now; empty if one may be.
func (s *session) paused(ctx context.Context, p Pause) (string, error) {
	for _, look := range []struct {
		on   bool
		says func(context.Context, Pause) (string, error)
	}{{p.ReplicaLag > 0, s.lags}, {p.ThreadsRunning > 0, s.isBusy}, {p.HistoryList > 0, s.keepsHistory}} {
		if !look.on {
			continue
		}
		if why, err := look.says(ctx, p); why != "" || err != nil {
			return why, err
		}
	}
	return "", nil
}

// lags looks how far the server is behind those it replicates from.
func (s *session) lags(ctx context.Context, p Pause) (string, error) {
	lag, why, err := s.replicaLag(ctx)
	if why == "" && lag > p.ReplicaLag {
		why = "the server is " + lag.String() + " behind its primary"
	}
	return why, err
}

// replicaLag gives the longest lag; why there is none, if it replicates and does not know.
func (s *session) replicaLag(ctx context.Context) (longest time.Duration, why string, err error) {
	sql, column, right := "SHOW REPLICA STATUS", "Seconds_Behind_Source", "REPLICATION CLIENT"
	switch {
	case s.mariaDB:
		sql, column, right = "SHOW ALL SLAVES STATUS", "Seconds_Behind_Master", "SLAVE MONITOR"
	case strings.HasPrefix(s.conn.GetServerVersion(), "8.0."): // the new words came with 8.0.22
		sql, column = "SHOW SLAVE STATUS", "Seconds_Behind_Master"
	}
	lags, err := s.column(ctx, sql, column)
	if isDenied(err) {
		return 0, unseen("how far it is behind its primary", right), nil
	}
	for _, text := range lags {
		seconds, err := strconv.Atoi(text)
		if err != nil { // it is NULL
			return 0, "the server is a replica that does not replicate at the moment", nil
		}
		longest = max(longest, time.Duration(seconds)*time.Second)
	}
	return longest, "", err
}

// isBusy looks how many statements run.
func (s *session) isBusy(ctx context.Context, p Pause) (string, error) {
	rows, err := s.query(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_running'")
	if err != nil || len(rows) == 0 {
		return "", err
	}
	if n := rows.int(0, 1); n > p.ThreadsRunning {
		return fmt.Sprintf("%d statements run on the server", n), nil
	}
	return "", nil
}

// keepsHistory looks how long InnoDB's history list is.
func (s *session) keepsHistory(ctx context.Context, p Pause) (string, error) {
	sql := "SELECT name, count FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'"
	if s.mariaDB {
		sql = "SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'"
	}
	rows, err := s.query(ctx, sql)
	if isDenied(err) {
		return unseen("how long its history list is", "PROCESS"), nil
	}
	if err != nil || len(rows) == 0 {
		return "", err
	}
	if n := rows.int(0, 1); n > p.HistoryList {
		return fmt.Sprintf("InnoDB keeps %d transactions for those who read an old state", n), nil
	}
	return "", nil
}

// Numbers of the server's refusals of a right on *.*.
const (
	accessDenied     = 1045
	privilegeMissing = 1227
)

func isDenied(err error) bool {
	code := serverCode(err)
	return code == privilegeMissing || code == accessDenied
}

func unseen(what, right string) string {
	return "the user does not see of the server " + what + "; GRANT " + right + " ON *.* TO the user"
}

// column gives a column of an answer by its name, in any case of letters.
func (s *session) column(ctx context.Context, sql, name string) (out []string, err error) {
	r, err := s.execute(ctx, sql)
	if err != nil {
		return nil, err
	}
	for i, f := range r.Fields {
		if !strings.EqualFold(string(f.Name), name) {
			continue
		}
		for n := range r.RowNumber() {
			text, _ := r.GetString(n, i)
			out = append(out, strings.Clone(text))
		}
	}
	return out, nil
}
