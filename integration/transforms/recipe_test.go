//go:build unix

package transforms

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

const recipeTables = `
CREATE TABLE customers (id int PRIMARY KEY, name text, email text, phone text, notes text, address jsonb);
ALTER TABLE customers REPLICA IDENTITY FULL;
CREATE TABLE orders (id int PRIMARY KEY, region text NOT NULL, status text NOT NULL, net numeric NOT NULL);
ALTER TABLE orders REPLICA IDENTITY FULL;
CREATE TABLE articles (id int PRIMARY KEY, title text, tags text[]);
ALTER TABLE articles REPLICA IDENTITY FULL;
CREATE TABLE visits (id int PRIMARY KEY, person text, browser text, ip text, at timestamptz);
CREATE TABLE outbox (id int PRIMARY KEY, aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT NULL, payload jsonb);
DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY '{customers,orders,articles,visits,outbox}'::text[] LOOP EXECUTE format('ALTER TABLE %I OWNER TO capture', t); END LOOP; END $$;`

const recipeRows = `
INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com', '+41791234567', 'secret', '{"city": "Bern", "geo": {"lat": 46.9}}'), (2, 'Bo', NULL, NULL, NULL, NULL);
INSERT INTO orders VALUES (1, 'eu', 'paid', 100), (2, 'us', 'paid', 50), (3, 'eu', 'draft', 1);
INSERT INTO articles VALUES (1, 'Hats', '{warm,soft}'), (2, 'Nails', '{}');
INSERT INTO visits VALUES (1, 'Ada', 'w3m', '10.0.0.1', '2026-01-01 00:00Z');
INSERT INTO outbox VALUES (1, 'order', '1', 'created', '{"net": 100}'), (2, 'customer', '1', 'named', '{}');`

const recipeChanges = `
UPDATE customers SET notes = 'other', address = address || '{"zip": 1}';
UPDATE customers SET name = 'Bob' WHERE id = 2;
UPDATE orders SET region = 'us' WHERE id = 1;
UPDATE orders SET status = 'draft' WHERE id = 2;
UPDATE orders SET status = 'paid' WHERE id = 3;
UPDATE articles SET tags = '{soft,cheap,red}' WHERE id = 1;
DELETE FROM articles WHERE id = 2;
UPDATE visits SET browser = 'lynx';
INSERT INTO outbox VALUES (3, 'order', '2', 'paid', NULL);
DELETE FROM outbox;`

// The recipe of transforms, run as it stands over tables that fit it: what lies in
// each topic in the end, by key.
func TestRecipe(t *testing.T) {
	t.Parallel()
	w := suite.NewWorld(t, pg.Server(t), "recipe")
	text, err := os.ReadFile("../../configs/recipes/transforms.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.Dir, "transforms.yaml")
	if err := os.WriteFile(file, append(text, fmt.Sprintf("\ndata_dir: %s\nserve: {http: none}\n", w.Data())...), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"SHOP_URL=" + w.URL(), "PII_KEY=k"}
	evert := func(args ...string) *harness.Process {
		p := harness.Start(t, harness.Launch{Path: suite.Evert(t), Env: env, Args: append(args, "-c", file)})
		if code := p.Wait(t, harness.Patience); code != 0 {
			t.Fatalf("evert %v: exit code %d:\n%s", args, code, p.Last(20))
		}
		return p
	}
	w.SQL("recipe", recipeTables, recipeRows)
	if said := evert("check", "--connect", "--all"); said.Count(func(l string) bool { return strings.Contains(l, "every step fits the tables") }) != 1 {
		t.Errorf("check says nothing of transforms:\n%s", said.Last(30))
	}
	evert("run", "--until-caught-up")
	w.SQL("recipe", recipeChanges)
	evert("run", "--until-caught-up")

	want, err := os.ReadFile("testdata/recipe.golden")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, topic := range []string{"public.customers", "public.orders_eu", "public.orders_us", "public.articles", "public.visits", "outbox.event.order", "outbox.event.customer"} {
		got += folded(t, evert("tail", "shop."+topic, "--until-end", "-o", "json"), topic)
	}
	if got != string(want) {
		t.Errorf("the topics hold\n%s\nwant\n%s", got, want)
	}
}

// folded gives the newest row of each key of a topic that was printed.
func folded(t *testing.T, p *harness.Process, topic string) string {
	t.Helper()
	rows := map[string]string{}
	p.Count(func(line string) bool {
		var r struct {
			Key   map[string]json.RawMessage `json:"key"`
			After map[string]json.RawMessage `json:"after"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		key, _ := json.Marshal(r.Key)
		after, _ := json.Marshal(r.After)
		if r.After == nil {
			delete(rows, string(key))
		} else {
			rows[string(key)] = string(after)
		}
		return true
	})
	out := ""
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		out += topic + " " + key + " " + rows[key] + "\n"
	}
	return out
}
