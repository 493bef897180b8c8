package postgres

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// TestMends runs what a refusal says, word for word, and goes on.
func TestMends(t *testing.T) {
	for _, c := range []struct {
		name, arrange string
		code          pipeline.Code
	}{
		{"no column of that name", "CREATE TABLE items (id bigint PRIMARY KEY)", CodeShape},
		{"a column that the server computes", "CREATE TABLE items (id bigint PRIMARY KEY, v text GENERATED ALWAYS AS ('x') STORED)", CodeShape},
		{"a column that must be filled", "CREATE TABLE items (id bigint PRIMARY KEY, v text, more int NOT NULL)", CodeShape},
		{"a table that a crash empties", "CREATE UNLOGGED TABLE items (id bigint PRIMARY KEY, v text)", CodeShape},
		{"no unique key", "CREATE TABLE items (id bigint, v text)", CodeKey},
		{"a partial index", "CREATE TABLE items (id bigint NOT NULL, v text); CREATE UNIQUE INDEX ON items (id) WHERE id > 0", CodeKey},
		{"a unique key that may be NULL", "CREATE TABLE items (id bigint UNIQUE, v text)", CodeKey},
	} {
		t.Run("S13 refused at once: "+c.name, func(t *testing.T) {
			d := newDB(t)
			d.do(c.arrange)
			r := d.run()
			for range 3 { // a mend may lead to the next refusal
				r.open()
				err := r.tryWrite(rows(items(), 1, 1, "x")...)
				if err == nil {
					break
				}
				d.do(wantCode(t, err, c.code).Mend)
			}
			r.commit()
			d.wants("SELECT id, v FROM items", "1|x")
		})
	}
	t.Run("a view is no table", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE VIEW items AS SELECT 1::bigint AS id, 'x' AS v WHERE false")
		r := d.run()
		r.open()
		wantCode(t, r.tryWrite(rows(items(), 1, 1, "x")...), CodeShape)
	})
	t.Run("rows of somebody else", func(t *testing.T) {
		d := newDB(t)
		d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text); INSERT INTO items VALUES (9, 'theirs')")
		r := d.run()
		_, err := r.tryOpen()
		if mend := wantCode(t, err, CodeRows).Mend; !strings.HasPrefix(mend, "adopt: true ") {
			t.Fatal(mend)
		}
		r.config.Adopt = true
		r.filled(items(), 1)
		d.wants("SELECT * FROM items", "1|first")
	})
	t.Run("a table that another sink writes", func(t *testing.T) {
		d := newDB(t)
		r := d.run()
		r.filled(items(), 1)
		other := d.run(func(c *Config) { c.Name, c.Adopt = "test.o'ther", true })
		_, err := other.tryOpen()
		d.do(wantCode(t, err, CodeTaken).Mend)
		other.open()
	})
	t.Run("a role with no right at all", func(t *testing.T) {
		d := newDB(t)
		d.do(`DROP ROLE IF EXISTS "Poor one"; CREATE ROLE "Poor one" LOGIN PASSWORD 'x'`)
		d.do("DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$")
		t.Cleanup(func() {
			d.do(`DROP OWNED BY "Poor one"; DROP ROLE "Poor one"`)
			d.do("DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database()); END $$")
			d.do("UPDATE pg_database SET datacl = NULL WHERE datname = current_database()") // as new
		})
		d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text); ALTER TABLE items ENABLE ROW LEVEL SECURITY")
		r := d.run(func(c *Config) { c.URL = as(d.url, "Poor one") })
		_, err := r.tryOpen()
		wantCode(t, err, CodeRight)
		for range 3 {
			found, err := Check(t.Context(), r.config, items())
			if err != nil {
				t.Fatal(err)
			}
			refusal := pipeline.Failing(found)
			if refusal == nil {
				break
			}
			d.do(wantCode(t, refusal, CodeRight).Mend)
		}
		r.filled(items(), 3)
		r.write(rows(items(), 2, 4, "second")...)
		r.commit()
		d.wants("SELECT count(*) FROM items", "4")
	})
}

// as is the same database for another role.
func as(raw, role string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		u, err := url.Parse(raw)
		if err != nil {
			return "", err
		}
		u.User = url.UserPassword(role, "x")
		return u.String(), nil
	}
}

func TestUnreachable(t *testing.T) {
	d := newDB(t)
	for _, c := range []struct {
		name, url string
		code      pipeline.Code
	}{
		{"a wrong password", strings.Replace(d.url, "://postgres:", "://postgres:wrong", 1), CodeAuth},
		{"nobody listens", "postgres://nobody:" + canary + "@127.0.0.1:1/none?sslmode=disable", CodeConnect},
		{"no TLS", strings.Replace(d.url, "sslmode=disable", "sslmode=verify-full", 1), CodeTLS},
		{"not a URL", "postgres://" + canary + "%zz", CodeConfig},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := d.run(func(conf *Config) { conf.URL = func(context.Context) (string, error) { return c.url, nil } })
			_, err := r.tryOpen()
			if wantCode(t, err, c.code); strings.Contains(err.Error(), canary) {
				t.Errorf("the message shows a secret: %v", err)
			}
		})
	}
	t.Run("a secret that cannot be read", func(t *testing.T) {
		r := d.run(func(conf *Config) {
			conf.URL = func(context.Context) (string, error) { return "", errors.New("no file") }
		})
		_, err := r.tryOpen()
		wantCode(t, err, CodeConfig)
	})
	t.Run("a server that takes no writes", func(t *testing.T) {
		d.do("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$")
		_, err := d.run().tryOpen()
		wantCode(t, err, CodeStandby)
	})
}

func TestLoop(t *testing.T) {
	d := newDB(t)
	d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text)")
	caught := "items"
	r := d.run(func(c *Config) {
		c.Captures = []Capture{{Source: "shop", Slot: "evert_" + d.get("SELECT current_database()"), Match: func(_, table string) bool { return strings.HasPrefix(table, caught) }}}
	})
	found, err := Check(t.Context(), r.config, items())
	if err != nil || pipeline.Failing(found) != nil {
		t.Fatalf("without the source's slot check found %v, %v", found, err)
	}
	d.do("SELECT pg_create_logical_replication_slot('evert_' || current_database(), 'pgoutput')")
	found, err = Check(t.Context(), r.config, items())
	if err != nil || pipeline.Failing(found) == nil || pipeline.Failing(found).Code != CodeLoop {
		t.Errorf("check found %v, %v", found, err)
	}
	_, err = r.tryOpen()
	wantCode(t, err, CodeLoop)
	caught = "evert_sinks"
	_, err = r.tryOpen()
	wantCode(t, err, CodeLoop)
	caught = "others"
	r.open()
}

// P53: a sink that writes what a source captures is refused before the source has a
// slot, by whatever URL either comes to the database; another database is none of it.
func TestLoopBeforeTheSlot(t *testing.T) {
	d, other := newDB(t), newDB(t)
	for _, db := range []*db{d, other} {
		db.do("CREATE TABLE items (id bigint PRIMARY KEY, v text)")
	}
	for _, c := range []struct {
		story, url string
		loops      bool
	}{
		{"P53 the same URL", d.url, true},
		{"P53 another URL of the same database", strings.Replace(d.url, "127.0.0.1", "localhost", 1) + "&connect_timeout=9", true},
		{"another database of the server", other.url, false},
		{"a server that does not answer", "postgres://nobody@127.0.0.1:1/none", false},
	} {
		t.Run(c.story, func(t *testing.T) {
			r := d.run(func(conf *Config) {
				conf.Captures = []Capture{{Source: "shop", Slot: "not_made_yet", Match: func(_, table string) bool { return table == "items" },
					URL: func(context.Context) (string, error) { return c.url, nil }}}
			})
			found, err := Check(t.Context(), r.config, items())
			if err != nil {
				t.Fatal(err)
			}
			if fails := pipeline.Failing(found); (fails != nil) != c.loops || fails != nil && fails.Code != CodeLoop {
				t.Errorf("check found %v", found)
			}
		})
	}
}
