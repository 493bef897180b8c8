//go:build unix

package deliver

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
)

// TestPostgresCheck: `evert check --connect` says what would keep a sink from
// starting, and its mends mend it.
func TestPostgresCheck(t *testing.T) {
	t.Parallel()
	b := newPostgresBank(t)
	b.checks("")
	b.SQL(b.target, "CREATE TABLE accounts (id int, balance numeric, note text)", "ALTER TABLE accounts OWNER TO capture")
	for mend := b.checks("PG_SINK_SHAPE", "PG_SINK_KEY"); mend != ""; mend = b.checks("PG_SINK_SHAPE", "PG_SINK_KEY", "") {
		b.SQL(b.target, mend)
	}
	b.SQL(b.target, "INSERT INTO accounts VALUES (1, 1, 'theirs')")
	b.checks("PG_SINK_OTHER_ROWS")
	b.SQL(b.target, "DELETE FROM accounts", "ALTER SCHEMA public OWNER TO postgres")
	b.SQL(b.target, b.checks("PG_SINK_RIGHT"))
	b.checks("")
	d := b.Run()
	b.await("the first fill", d, b.moves(0))
	b.equal("with a table that was there")
	d.Terminate()

	b.Options.More = strings.Replace(b.Options.More, b.targetURL(), b.URL(), 1) // the source's own table
	b.checks("PG_SINK_LOOP")
	d = b.Run()
	d.Await(t, "the sink is refused", func(line string) bool { return strings.Contains(line, "PG_SINK_LOOP") })
	d.Terminate()
}

// checks runs `evert check`, and gives the mend of the first finding that fails; its
// code has to be one of those, or there has to be none.
func (b *postgresBank) checks(codes ...string) (mend string) {
	b.Helper()
	out, said, exit := harness.Run(b, b.Evert(b), "check", "-c", b.Write(), "--connect", "-o", "json")
	var found []struct {
		Level, What, Mend string
		Code              pipeline.Code
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		b.Fatalf("check says %s%s: %v", out, said, err)
	}
	for _, f := range found {
		if f.Level != "error" {
			continue
		}
		if !strings.Contains(strings.Join(codes, " "), string(f.Code)) || exit != 3 {
			b.Fatalf("exit code %d, %s: %s; want %q", exit, f.Code, f.What, codes)
		}
		return f.Mend
	}
	if exit != 0 || len(codes) == 1 && codes[0] != "" {
		b.Fatalf("exit code %d and no finding; want %q", exit, codes)
	}
	return ""
}
