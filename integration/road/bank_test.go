//go:build unix

package road

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
)

// A bank is a database shaped by `pgbench -i`, with keys on all of its tables,
// and the traffic of `pgbench -c 4` on it: pgbench's own where it is installed,
// else the same transactions from here.
type bank struct {
	*harness.World
	size
	toast   bool // accounts have a large column, stored out of line
	pgbench string
}

var bankTables = []string{"pgbench_accounts", "pgbench_branches", "pgbench_history", "pgbench_tellers"}

const (
	accountsPerBranch = 100_000
	clients           = 4
)

func (b *bank) setup() {
	b.Helper()
	b.pgbench, _ = b.Postgres.Binaries().Tool("pgbench")
	b.create()
	b.own(fmt.Sprintf("DELETE FROM pgbench_accounts WHERE aid > %d", b.accounts),
		"ALTER TABLE pgbench_history ADD COLUMN id bigserial PRIMARY KEY")
	if b.toast {
		b.own("ALTER TABLE pgbench_accounts ADD COLUMN note text",
			"ALTER TABLE pgbench_accounts ALTER note SET STORAGE EXTERNAL",
			"UPDATE pgbench_accounts SET note = repeat(md5(aid::text), 90) WHERE aid % 10 = 0")
	}
}

// own runs statements as the role that owns the database.
func (b *bank) own(sql ...string) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), b.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	if _, err := conn.PgConn().Exec(b.Context(), strings.Join(sql, ";")).ReadAll(); err != nil {
		b.Fatal(err)
	}
}

func (b *bank) create() {
	b.Helper()
	if b.pgbench != "" {
		cmd := exec.Command(b.pgbench, b.args("-i", "-q", "-s", fmt.Sprint(b.scale))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("pgbench -i: %v\n%s", err, out)
		}
		return
	}
	b.own(`CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))`,
		`CREATE TABLE pgbench_tellers (tid int NOT NULL PRIMARY KEY, bid int, tbalance int, filler char(84))`,
		`CREATE TABLE pgbench_accounts (aid int NOT NULL PRIMARY KEY, bid int, abalance int, filler char(84))`,
		`CREATE TABLE pgbench_branches (bid int NOT NULL PRIMARY KEY, bbalance int, filler char(88))`,
		fmt.Sprintf(`INSERT INTO pgbench_branches SELECT g, 0 FROM generate_series(1, %d) g`, b.scale),
		fmt.Sprintf(`INSERT INTO pgbench_tellers SELECT g, (g - 1) / 10 + 1, 0 FROM generate_series(1, %d) g`, b.scale*10),
		fmt.Sprintf(`INSERT INTO pgbench_accounts SELECT g, (g - 1) / %d + 1, 0, '' FROM generate_series(1, %d) g`,
			accountsPerBranch, b.scale*accountsPerBranch))
}

// args are those of pgbench, which takes a URL in place of a database's name.
func (b *bank) args(args ...string) []string { return append(args, b.URL()) }

// traffic starts four clients; the returned function waits for their end.
func (b *bank) traffic() (wait func()) {
	b.Helper()
	if b.pgbench == "" {
		return b.ownTraffic()
	}
	args := []string{"-c", fmt.Sprint(clients), "-n", "-T", fmt.Sprint(b.seconds), "-s", fmt.Sprint(b.scale), "-D", fmt.Sprintf("accounts=%d", b.accounts), "-f", b.script("transfer.sql", tpcb) + "@9"}
	if b.rate > 0 {
		args = append(args, "-R", fmt.Sprint(b.rate))
	}
	if b.toast {
		args = append(args, "-f", b.script("notes.sql", notes)+"@1")
	}
	p := harness.Start(b, harness.Launch{Path: b.pgbench, Args: b.args(args...)})
	return func() {
		b.Helper()
		if code := p.Wait(b, time.Duration(b.seconds)*time.Second+harness.Patience); code != 0 {
			b.Fatalf("pgbench: exit code %d\n%s", code, p.Last(20))
		}
	}
}

// tpcb is pgbench's built-in script over those accounts that are there.
const tpcb = `\set aid random(1, :accounts)
\set bid random(1, :scale)
\set tid random(1, 10 * :scale)
\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
`

// notes replaces a large value.
const notes = `\set aid random(1, :accounts)
UPDATE pgbench_accounts SET note = repeat(md5(random()::text), 100) WHERE aid = :aid;
`

func (b *bank) script(name, text string) string {
	path := filepath.Join(b.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

func (b *bank) ownTraffic() (wait func()) {
	until := time.Now().Add(time.Duration(b.seconds) * time.Second)
	errs := make(chan error, clients)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() { errs <- b.client(until) })
	}
	return func() {
		b.Helper()
		wg.Wait()
		for range clients {
			if err := <-errs; err != nil {
				b.Fatal(err)
			}
		}
	}
}

// client is pgbench's built-in transaction, one after the other.
func (b *bank) client(until time.Time) error {
	conn, err := pgx.Connect(b.Context(), b.URL())
	if err != nil {
		return err
	}
	defer conn.Close(b.Context())
	every := time.Nanosecond
	if b.rate > 0 {
		every = clients * time.Second / time.Duration(b.rate)
	}
	pace := time.NewTicker(every)
	defer pace.Stop()
	for ; time.Now().Before(until); <-pace.C {
		aid, bid := 1+rand.IntN(b.accounts), 1+rand.IntN(b.scale)
		tid, delta := 1+rand.IntN(b.scale*10), rand.IntN(10_001)-5000
		text := fmt.Sprintf(`BEGIN;
			UPDATE pgbench_accounts SET abalance = abalance + %[4]d WHERE aid = %[1]d;
			SELECT abalance FROM pgbench_accounts WHERE aid = %[1]d;
			UPDATE pgbench_tellers SET tbalance = tbalance + %[4]d WHERE tid = %[2]d;
			UPDATE pgbench_branches SET bbalance = bbalance + %[4]d WHERE bid = %[3]d;
			INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (%[2]d, %[3]d, %[1]d, %[4]d, CURRENT_TIMESTAMP);
			END`, aid, tid, bid, delta)
		if b.toast && rand.IntN(10) == 0 {
			text = fmt.Sprintf("UPDATE pgbench_accounts SET note = repeat(md5(random()::text), 100) WHERE aid = %d", aid)
		}
		if _, err := conn.PgConn().Exec(b.Context(), text).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}
