//go:build unix

package views

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

const (
	perShop  = "SELECT shop, count(*) AS n, sum(cents) AS cents FROM db.public.sales GROUP BY shop"
	perShop2 = "SELECT shop, count(*) AS n, sum(cents) AS cents FROM db.public.sales WHERE cents > 10 GROUP BY shop"
	another  = "SELECT id, n * 2 AS twice FROM db.public.other"
)

// TestLifeOfAView defines a view, changes it, takes it away and brings it back,
// each time with writes while no daemon runs.
func TestLifeOfAView(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.Options{})
	s.views["shops"], s.extra["shops"] = perShop, "key: [shop]"
	s.extra["twice"] = "key: [id]"
	s.start()
	s.same("shops")

	t.Run("added", func(t *testing.T) {
		s.views["twice"] = another
		s.start()
		s.same("twice")
		s.same("shops")
	})
	t.Run("R15 another query", func(t *testing.T) {
		s.end()
		s.SQL(s.Database, "DELETE FROM sales WHERE shop = 's3'", "INSERT INTO sales VALUES (1001, 'new', 5)")
		s.views["shops"] = perShop2
		s.start()
		s.same("shops")
	})
	t.Run("R15 and back", func(t *testing.T) {
		s.views["shops"] = perShop
		s.start()
		s.same("shops")
	})
	t.Run("R15 an index more, and less", func(t *testing.T) {
		s.extra["shops"] = "key: [shop]\nindexes: [[cents]]"
		s.start()
		s.same("shops")
		s.await("/v1/views/shops/rows?cents=gte.0&order=cents.desc&limit=3")
		s.extra["shops"] = "key: [shop]"
		s.start()
		s.same("shops")
	})
	t.Run("R15 a type that the topic's readers could not follow", func(t *testing.T) {
		s.views["shops"] = "SELECT shop, count(*) AS n, max(shop) AS cents FROM db.public.sales GROUP BY shop"
		s.start()
		s.code("shops", "VIEW_SCHEMA_REFUSED")
		s.await("/v1/views/shops/rows/s1") // the rows of the definition before
		s.same("twice")
		s.views["shops"] = perShop
		s.start()
		s.same("shops")
	})
	t.Run("another key", func(t *testing.T) {
		s.views["shops"], s.extra["shops"] = "SELECT id, shop, cents FROM db.public.sales", "key: [id]"
		s.start()
		s.code("shops", "VIEW_KEY_CHANGED")
		s.await("/v1/views/shops/rows/s1")
		s.same("twice")
		s.views["shops"], s.extra["shops"] = perShop, "key: [shop]"
		s.start()
		s.same("shops")
	})
	t.Run("R15 a query that does not hold for the tables shows the rows of the one before", func(t *testing.T) {
		shown := rowOf(t, s.await("/v1/views/shops/rows/s1"))
		s.views["shops"] = "SELECT shop, count(*) AS n, sum(dollars) AS cents FROM db.public.sales GROUP BY shop"
		s.start()
		s.code("shops", "SQL_NAME")
		s.stale("/v1/views/shops/rows/s1", "SQL_NAME", shown)
		s.refused("/v1/views/shops/rows/s1?timeout=30s&wait_for=db:FF%2F0", 504) // at once: it does not go on
		s.same("twice")
		s.SQL(s.Database, "ALTER TABLE sales ADD COLUMN dollars int", "INSERT INTO sales VALUES (1500, 's1', 5, 7)")
		s.same("twice") // the new column is captured
		s.views["shops"] = strings.Replace(s.views["shops"], "sum(dollars) AS cents", "sum(cents) AS cents, sum(dollars) AS dollars", 1)
		s.start()
		s.same("shops")
		s.views["shops"] = perShop
		s.start()
		s.same("shops")
	})
	t.Run("R15 a query over a table that is not captured does so too", func(t *testing.T) {
		shown := rowOf(t, s.await("/v1/views/shops/rows/s1"))
		s.views["shops"] = "SELECT s.shop, count(*) AS n, sum(s.cents) AS cents FROM db.public.sales AS s JOIN db.public.later AS l ON l.id = s.id GROUP BY s.shop"
		s.start()
		s.stale("/v1/views/shops/rows/s1", "VIEW_WAITS", shown)
		s.views["shops"] = perShop
		s.start()
		s.same("shops")
	})
	t.Run("R16 removed, and added again", func(t *testing.T) {
		delete(s.views, "shops")
		s.start()
		s.same("twice")
		s.SQL(s.Database, "DELETE FROM sales WHERE shop = 's4'", "UPDATE sales SET cents = cents + 1 WHERE shop = 's5'")
		s.views["shops"] = perShop
		s.start()
		s.same("shops")
	})
	t.Run("the last one removed, and added again", func(t *testing.T) {
		was := s.views
		s.views = map[string]string{}
		s.end()
		s.Options.More = ""
		s.daemon = s.Run()
		s.awaitThat("/v1/status", func(a harness.Answer) bool { return a.Status == 200 })
		s.SQL(s.Database, "DELETE FROM sales WHERE shop = 's6'")
		s.views = was
		s.start()
		s.same("shops")
		s.same("twice")
	})
	s.end()
}

// rowOf is the row of an answer.
func rowOf(t *testing.T, a harness.Answer) string {
	t.Helper()
	var body struct{ Row json.RawMessage }
	if err := a.Decode(&body); err != nil {
		t.Fatal(err)
	}
	return string(body.Row)
}

// stale waits until a row is answered that says why it does not go on.
func (s *story) stale(path, code, row string) {
	s.Helper()
	s.awaitThat(path, func(a harness.Answer) bool {
		var body struct {
			Row   json.RawMessage
			Stale struct{ Code string }
		}
		return a.Status == 200 && a.Decode(&body) == nil && body.Stale.Code == code && a.Header.Get("Evert-Stale") == code && string(body.Row) == row
	})
}

// refused waits until an answer has a status.
func (s *story) refused(path string, status int) {
	s.Helper()
	s.awaitThat(path, func(a harness.Answer) bool { return a.Status == status })
}

// TestWhatTheDatabaseDoes changes tables under the views.
func TestWhatTheDatabaseDoes(t *testing.T) {
	t.Parallel()
	s := newStory(t, ownServer(t), harness.Options{})
	s.views["shops"], s.views["twice"] = perShop, another
	s.extra["shops"], s.extra["twice"], s.extra["wide"] = "key: [shop]", "key: [id]", "key: [id]"
	s.views["wide"] = "SELECT s.id, s.shop, o.n FROM db.public.sales AS s LEFT JOIN db.public.other AS o ON o.id = s.id"
	s.start()
	for view := range s.views {
		s.same(view)
	}
	everything := func(t *testing.T) {
		t.Helper()
		for view := range s.views {
			s.same(view)
		}
	}
	t.Run("TRUNCATE", func(t *testing.T) {
		s.SQL(s.Database, "TRUNCATE other")
		everything(t)
		s.SQL(s.Database, "BEGIN; INSERT INTO other SELECT i, i FROM generate_series(1, 20) AS i; TRUNCATE sales; INSERT INTO sales SELECT i, 't' || i % 3, i FROM generate_series(1, 50) AS i; COMMIT")
		everything(t)
	})
	t.Run("a column that no view uses", func(t *testing.T) {
		s.SQL(s.Database, "ALTER TABLE sales ADD COLUMN note text", "INSERT INTO sales VALUES (2000, 's1', 3, 'noted')")
		everything(t)
	})
	t.Run("and that a view uses then", func(t *testing.T) {
		s.views["wide"] = "SELECT s.id, s.note, o.n FROM db.public.sales AS s LEFT JOIN db.public.other AS o ON o.id = s.id"
		s.start()
		everything(t)
	})
	t.Run("reset", func(t *testing.T) {
		s.end()
		s.Reset()
		s.SQL(s.Database, "DELETE FROM sales WHERE shop = 't1'")
		s.start()
		everything(t)
	})
	t.Run("R09 a column that a view needs is dropped", func(t *testing.T) {
		s.SQL(s.Database, "ALTER TABLE sales DROP COLUMN note", "INSERT INTO sales VALUES (3000, 's1', 3)")
		s.code("wide", "VIEW_COLUMN")
		s.same("shops")
		s.same("twice")
		s.SQL(s.Database, "UPDATE sales SET cents = 9 WHERE id = 3000")
		s.same("shops")
		s.views["wide"] = "SELECT s.id, s.shop, o.n FROM db.public.sales AS s LEFT JOIN db.public.other AS o ON o.id = s.id"
		s.start()
		everything(t)
	})
	t.Run("R09 a row on which the query fails as it does in the database", func(t *testing.T) {
		s.views["shares"], s.extra["shares"] = "SELECT id, 100 / n AS share FROM db.public.other", "key: [id]"
		s.start()
		s.same("shares")
		shown := rowOf(t, s.await("/v1/views/shares/rows/3"))
		s.SQL(s.Database, "BEGIN; UPDATE other SET n = 50 WHERE id = 3; UPDATE other SET n = 0 WHERE id = 4; COMMIT")
		s.code("shares", "VIEW_EXPRESSION")
		s.stale("/v1/views/shares/rows/3", "VIEW_EXPRESSION", shown) // not a part of the transaction
		s.same("twice")
		s.SQL(s.Database, "UPDATE other SET n = 25 WHERE id = 4")
		everything(t)
		s.start() // at the cut where it failed, or behind it
		everything(t)
		delete(s.views, "shares")
	})
	t.Run("R23 a table under a view is renamed", func(t *testing.T) {
		s.SQL(s.Database, "ALTER TABLE other RENAME TO others", "INSERT INTO others VALUES (4000, 1)")
		s.tableCode("PG_TABLE_RENAMED")
		s.SQL(s.Database, "ALTER TABLE others RENAME TO other", "INSERT INTO other VALUES (2000, 2)")
		s.end()
		s.Reset("--resnapshot")
		s.start()
		everything(t)
	})
	s.end()
}
