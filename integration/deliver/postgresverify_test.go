//go:build unix

package deliver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

// TestPostgresVerify edits the target by hand, which `evert verify` finds and
// repairs; and has the target refuse a row, which goes to the dead letters while the
// rows around it go on, and is delivered again.
func TestPostgresVerify(t *testing.T) {
	t.Parallel()
	b := newPostgresBank(t)
	b.Options.More = strings.Replace(b.Options.More, "commit_interval: 10ms\n", "commit_interval: 10ms\n    on_reject: dead_letter\n", 1)
	d := b.Run()
	b.await("the first fill", d, b.moves(0))
	b.equal("when filled")

	t.Run("S14 three rows are edited, one is deleted, one is added", func(*testing.T) {
		b.SQL(b.target, "UPDATE accounts SET note = 'edited' WHERE id IN (3, 4)", "UPDATE accounts SET balance = balance + 1 WHERE id = 5",
			"DELETE FROM accounts WHERE id = 7", "INSERT INTO accounts VALUES (9999, 0, 'never was', now())")
		b.verified(4, verdict{Missing: 1, Surplus: 1, Differing: 3})
		b.verified(0, verdict{Missing: 1, Surplus: 1, Differing: 3, Repaired: 5}, "--repair")
		b.verified(0, verdict{})
		b.equal("when repaired")
	})
	t.Run("S13 a row that the target refuses", func(*testing.T) {
		b.SQL(b.target, "ALTER TABLE accounts ADD CONSTRAINT no_canary CHECK (note <> 'canary-note')")
		b.SQL(b.Database, "UPDATE accounts SET note = CASE id WHEN 11 THEN 'canary-note' ELSE 'good' END WHERE id BETWEEN 10 AND 12")
		to := b.dial(b.Postgres.URL(b.target))
		b.await("the rows around it", d, func() bool {
			return strings.Join(all(to, "SELECT id || note FROM accounts WHERE id BETWEEN 10 AND 12 AND note = 'good' ORDER BY 1"), " ") == "10good 12good"
		})
		letters, _, exit := harness.Run(b, b.Evert(b), "dlq", "list", "mirror", "--show", "1", "-c", b.Write())
		if exit != 0 || !strings.Contains(letters, "PG_SINK_ROW") || !strings.Contains(letters, "no_canary") || strings.Contains(letters, "canary-note") {
			b.Errorf("exit code %d, the letters are\n%s", exit, letters)
		}
		b.SQL(b.target, "ALTER TABLE accounts DROP CONSTRAINT no_canary")
		if out, said, exit := harness.Run(b, b.Evert(b), "dlq", "replay", "mirror", "-c", b.Write(), "--yes"); exit != 0 {
			b.Fatalf("replay: exit code %d: %s%s", exit, out, said)
		}
		b.equal("when delivered again")
	})
	d.Terminate()
	b.CheckCanaries("canary-note")
}

// A verdict is what a comparison counts.
type verdict struct{ Missing, Surplus, Differing, Repaired int64 }

// verified runs `evert verify` for the sink.
func (b *postgresBank) verified(exit int, want verdict, flags ...string) {
	b.Helper()
	out, said, code := harness.Run(b, b.Evert(b), append([]string{"verify", "mirror", "-c", b.Write(), "-o", "json"}, flags...)...)
	var got verdict
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exit || got != want {
		b.Fatalf("exit code %d and %s, want %d and %s: %v\n%s", code, fmt.Sprintf("%+v", got), exit, fmt.Sprintf("%+v", want), err, said)
	}
}
