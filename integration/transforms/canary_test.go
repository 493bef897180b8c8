//go:build unix

package transforms

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/integration/harness"
)

// secret stands in every value of every column that is hidden; shown in one of
// each table that is not, to know that looking finds something.
const secret, shown = "S3CR3TCANARY", "PLAINFINCH"

// One `key: value` a line, as the harness wants it.
const canaryOverrides = `overrides: {public.people: {columns: {id: {mask: hmac-sha256, key: k1}, name: {mask: redact}, bio: {mask: hmac-sha256, key: k2}, notes: {drop: true}, city: {mask: nullify}, phone: {mask: partial, keep: 2}}}, ` +
	`public.whole: {columns: {name: {mask: redact}, bio: {mask: redact}}}, ` +
	`"public.cut*": {columns: {bio: {mask: partial}, missing: {drop: true}}, on_oversize: truncate}, ` +
	`public.letters: {columns: {bio: {mask: redact}}, on_oversize: dead_letter}, ` +
	`public.large: {columns: {bio: {mask: redact}}, on_oversize: offload}}`

// A canary in every hidden column, on every path: snapshot, stream, old rows,
// keys and their changes, unchanged large values filled from the log and from the
// database, dead letters, offloaded pieces, spilled transactions; then every
// record of every topic, every file, every line and every answer is looked at.
func TestX12Canary(t *testing.T) {
	t.Parallel()
	w := suite.NewWorld(t, pg.Server(t), "canary")
	w.Options.Source = canaryOverrides
	w.Options.More = "limits: {value_bytes: 64KiB, record_bytes: 128KiB, transaction_bytes: 64KiB}\n"
	w.SQL("canary", `ALTER ROLE capture IN DATABASE canary SET logical_decoding_work_mem = '64kB'`,
		`CREATE TABLE people (id text PRIMARY KEY, name text, city text, phone text, bio text, notes text, open text)`,
		`CREATE TABLE whole (id int PRIMARY KEY, name text, bio text, open text)`, `ALTER TABLE whole REPLICA IDENTITY FULL`,
		`CREATE TABLE cutting (id int PRIMARY KEY, bio text, open text)`,
		`CREATE TABLE letters (id int PRIMARY KEY, bio text, open text)`,
		`CREATE TABLE large (id int PRIMARY KEY, bio text, open text)`,
		`DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY '{people,whole,cutting,letters,large}'::text[] LOOP
			EXECUTE format('ALTER TABLE %I OWNER TO capture', t); EXECUTE format('ALTER TABLE %I ALTER bio SET STORAGE EXTERNAL', t); END LOOP; END $$`,
		people("copied"), whole(1), oversized("cutting", 1), oversized("letters", 1), oversized("large", 1))
	w.CatchUp() // the snapshot

	w.SQL("canary", people("streamed"),
		`UPDATE people SET open = open || '1' WHERE id LIKE 'copied%'`,                   // bio unchanged: from the log
		`UPDATE people SET id = 'moved' || id, open = 'x' WHERE id LIKE 'streamed%'`,     // a change of key, bio unchanged
		`UPDATE people SET bio = '`+secret+`' || repeat('y', 9000) WHERE id LIKE 'cop%'`, // and changed
		`DELETE FROM people WHERE id LIKE 'moved%'`,
		whole(2), `UPDATE whole SET open = 'z'`, `DELETE FROM whole WHERE id = 1`,
		`UPDATE cutting SET id = id + 10`, `UPDATE cutting SET open = 'small'`, oversized("cutting", 2),
		`UPDATE cutting SET id = 3 WHERE id = 2`, // open was cut in the log: read again at the database, and bio with it
		`UPDATE large SET open = open || 'more'`, `DELETE FROM large`, oversized("large", 2),
		`UPDATE letters SET open = open || 'more'`, oversized("letters", 2))
	w.CatchUp()
	spilled(t, w)

	records := everything(t, w)
	for topic, text := range records {
		if strings.Contains(text, secret) {
			t.Errorf("X12 topic %s holds the canary", topic)
		}
	}
	for _, topic := range []string{"people", "whole", "cutting", "large.offload", "letters.dlq"} {
		if !strings.Contains(records[harness.Topic(topic)], shown) {
			t.Errorf("topic %s does not hold %s: nothing was looked at; there are %d topics", harness.Topic(topic), shown, len(records))
		}
	}
	for _, path := range filesWith(t, w.Data(), secret) {
		t.Errorf("X12 file %s holds the canary", path)
	}
	w.CheckCanaries(secret, "y9000", shown)
}

func people(id string) string {
	return `INSERT INTO people SELECT '` + id + secret + `' || i, '` + secret + `', '` + secret + `', '` + secret + `', '` + secret + `' || repeat('x', 9000), '` + secret + `', '` + shown + `' FROM generate_series(1, 3) i`
}

func whole(id int) string {
	return `INSERT INTO whole VALUES (` + string(rune('0'+id)) + `, '` + secret + `', '` + secret + `' || repeat('x', 9000), '` + shown + `')`
}

// oversized has a row that no topic takes because of a column that is not hidden.
func oversized(table string, id int) string {
	return `INSERT INTO ` + table + ` VALUES (` + string(rune('0'+id)) + `, '` + secret + `' || repeat('x', 9000), '` + shown + `' || (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 5000) i))`
}

// spilled looks at the files while a large transaction is going on, and at what
// the daemon answers.
func spilled(t *testing.T, w *harness.World) {
	t.Helper()
	d := w.Run()
	d.AwaitStatus("it follows", func(s harness.Status) bool { return s.Ready })
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.Postgres.URL("canary"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, sql := range []string{"BEGIN",
		`INSERT INTO people SELECT 'spill` + secret + `' || i, '` + secret + `', '', '', '` + secret + `', '', '` + shown + `' FROM generate_series(1, 20000) i`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	spill := func() bool {
		files, _ := filepath.Glob(filepath.Join(w.Data(), "spill", "*", "*.tx"))
		for _, f := range files {
			if info, err := os.Stat(f); err == nil && info.Size() > 1<<20 {
				return true
			}
		}
		return false
	}
	d.AwaitStatus("the transaction is spilled", func(harness.Status) bool { return spill() })
	for _, path := range filesWith(t, w.Data(), secret) {
		t.Errorf("X12 file %s holds the canary while a transaction is spilled", path)
	}
	if _, err := conn.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	d.AwaitStatus("the transaction is committed", func(s harness.Status) bool { return s.Totals.Rows >= 20000 })
	door := harness.NewDoor(w.Data())
	defer door.Close()
	for _, path := range []string{"/metrics", "/v1/status", "/v1/topics"} {
		a, err := door.Get(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := json.Marshal(a); strings.Contains(string(a.Body), secret) || strings.Contains(string(text), secret) {
			t.Errorf("X12 %s tells the canary", path)
		}
	}
	d.Terminate()
}
