//go:build unix

package mends

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/check"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

type frontier = log.Frontier

// smallRecords makes rows too large that are not very large.
var smallRecords = harness.Options{Source: "commit_interval: 10ms", More: "limits: {record_bytes: 64KiB}"}

// ofTopics are stories of what lies in the log.
func ofTopics() []story {
	topic := harness.Topic("t")
	return []story{
		{
			code: "TOPIC_REPLACED", what: "deleted", arrange: func(s *stage) {
				s.caughtUp()
				s.inLog(func(ctx context.Context, l log.Log) error { return l.Admin().Delete(ctx, topic) })
			},
		},
		{
			code: "TOPIC_REPLACED", what: "deleted and made anew", arrange: func(s *stage) {
				s.caughtUp()
				s.inLog(func(ctx context.Context, l log.Log) error {
					if err := l.Admin().Delete(ctx, topic); err != nil {
						return err
					}
					_, err := l.Admin().Ensure(ctx, log.TopicSpec{Name: topic, Compact: true})
					return err
				})
			},
		},
		{
			code: "TOPIC_TRUNCATED", what: "ends below the frontier", arrange: func(s *stage) {
				s.caughtUp()
				s.forge(func(f *frontier) { f.Offsets[log.TopicPartition{Topic: topic}] += 100 })
			},
		},
		{
			code: "TOPIC_PARTITIONS", what: "another number in the file", arrange: func(s *stage) {
				s.caughtUp()
				s.own("DELETE FROM t WHERE id = 1", "INSERT INTO t SELECT i FROM generate_series(4, 40) i")
				s.Options.Source = "overrides: {public.t: {topic: {partitions: 3}}}"
				s.Write()
			},
		},
		{
			code: "KEY_CHANGED", what: "another primary key", first: []pipeline.Code{"PG_TABLE_CHANGED"}, arrange: func(s *stage) {
				s.caughtUp()
				s.own("ALTER TABLE t DROP CONSTRAINT t_pkey", "ALTER TABLE t ADD COLUMN code int GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
					"INSERT INTO t VALUES (4, 'four')")
			},
		},
		{
			code: "RECORD_TOO_LARGE", what: "shrunk since", options: smallRecords, arrange: func(s *stage) {
				s.caughtUp()
				s.own("INSERT INTO t VALUES (4, repeat('large', 30000))", "UPDATE t SET v = 'four' WHERE id = 4")
			},
		},
		{
			code: "TABLE_STOPPED", what: "in a release that did not keep why", options: smallRecords, arrange: func(s *stage) {
				s.caughtUp()
				s.own("INSERT INTO t VALUES (4, repeat('large', 30000))")
				if out, exit := s.sh("evert run --until-caught-up"); exit != 1 {
					s.Fatalf("exit code %d:\n%s", exit, out)
				}
				s.forge(func(f *frontier) {
					state := f.Tables[harness.Topic("t")]
					state.Why = log.Stop{}
					f.Tables[harness.Topic("t")] = state
				})
				s.own("DELETE FROM t WHERE id = 4", "INSERT INTO t VALUES (5, 'five')")
			},
		},
		{
			code: "UNKNOWN_VALUE", what: "in neither log nor table", arrange: func(s *stage) {
				s.own("CREATE TABLE toast (id int PRIMARY KEY, n int, big text)", "ALTER TABLE toast ALTER COLUMN big SET STORAGE EXTERNAL",
					"INSERT INTO toast SELECT i, 0, repeat('x', 5000) FROM generate_series(1, 3) i")
				s.caughtUp()
				s.bury(harness.Topic("toast"))
				s.own("UPDATE toast SET n = 1", "DELETE FROM toast WHERE id = 2")
			}, tables: []string{"t", "toast"},
		},
	}
}

// inLog changes the embedded log behind the daemon's back.
func (s *stage) inLog(change func(ctx context.Context, l log.Log) error) {
	s.Helper()
	l, err := embedded.Open(embedded.Config{Dir: filepath.Join(s.Data(), "log"), LockWait: 10 * time.Second})
	if err != nil {
		s.Fatal(err)
	}
	if err := change(s.Context(), l); err != nil {
		s.Error(err)
	}
	if err := l.Close(); err != nil || s.Failed() {
		s.Fatal(err)
	}
}

// forge writes a frontier record that says something else than the last.
func (s *stage) forge(change func(f *frontier)) {
	s.Helper()
	name := log.FrontierTopic(s.Deployment(), harness.Prefix)
	s.inLog(func(ctx context.Context, l log.Log) error {
		fold, err := log.ReadFrontier(ctx, l, name)
		if err != nil {
			return err
		}
		newest, _ := fold.Frontier()
		next := newest.Clone()
		next.Number++
		change(&next)
		return appendAll(ctx, l, log.Record{TopicPartition: log.TopicPartition{Topic: name}, Key: next.Key(), Value: next.AppendRecord(nil, newest)})
	})
}

// bury appends a tombstone for every key of a topic.
func (s *stage) bury(topic string) {
	s.Helper()
	tp := log.TopicPartition{Topic: topic}
	s.inLog(func(ctx context.Context, l log.Log) error {
		infos, err := l.Admin().Topics(ctx, topic)
		if err != nil {
			return err
		}
		var graves []log.Record
		err = log.Scan(ctx, l, tp, infos[0].Ends[0], func(r *log.Record) error {
			graves = append(graves, log.Record{TopicPartition: tp, Key: slices.Clone(r.Key)})
			return nil
		})
		if err != nil {
			return err
		}
		return appendAll(ctx, l, graves...)
	})
}

func appendAll(ctx context.Context, l log.Log, recs ...log.Record) error {
	w, err := l.Writer(ctx, "a foreign hand")
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Append(ctx, recs...); err != nil {
		return err
	}
	if _, err := w.Flush(ctx); err != nil {
		return err
	}
	return w.Commit(ctx, nil)
}

// slotIsFree waits for the server's process that served the slot, which may hold it
// for a moment after its client is gone, or after it was told to end.
func (s *stage) slotIsFree() {
	s.Helper()
	s.own(`DO $$ BEGIN
		FOR i IN 1..18000 LOOP
			EXIT WHEN NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '` + s.slot() + `' AND active);
			PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); -- the period of asking
		END LOOP;
	END $$`)
}

func (s *stage) dropSlot() {
	s.Helper()
	s.slotIsFree()
	s.own("SELECT pg_drop_replication_slot('" + s.slot() + "')")
}

// readSlot reads from the slot as another process would, until it is thrown out.
func (s *stage) readSlot() {
	s.Helper()
	conn, err := pgconn.Connect(s.Context(), s.URL()+"&replication=database")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = conn.Close(context.Background()) })
	ctx, cancel := context.WithTimeout(s.Context(), harness.Patience)
	defer cancel()
	conn.Frontend().SendQuery(&pgproto3.Query{String: "START_REPLICATION SLOT " + s.slot() + " LOGICAL 0/0 (proto_version '1', publication_names '" + s.slot() + "')"})
	if err := conn.Frontend().Flush(); err != nil {
		s.Fatal(err)
	}
	if _, err := conn.ReceiveMessage(ctx); err != nil { // CopyBoth: the slot is ours
		s.Fatal(err)
	}
}

// compareRows compares a table with its topic, folded by whatever key the topic
// has: the same rows, as often.
func (s *stage) compareRows(table, topic string) {
	s.Helper()
	want, columns := s.rows(table)
	got := s.folded("evert tail "+topic+" --until-end -o json", columns)
	if len(want) == 0 || !slices.Equal(got, want) {
		s.Fatalf("%s is not %s folded by key:\n got %q\nwant %q", table, topic, got, want)
	}
}

// folded gives the rows that a tail leaves when it is folded by key, sorted.
func (s *stage) folded(tail string, columns []string) (rows []string) {
	s.Helper()
	out, exit := s.sh(tail)
	if exit != 0 {
		s.Fatalf("%s: exit code %d:\n%s", tail, exit, out)
	}
	newest := map[string]string{}
	for line := range strings.Lines(out) {
		var r harness.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			s.Fatalf("not a record: %v: %s", err, line)
		}
		key, err := json.Marshal(r.Key)
		if err != nil {
			s.Fatal(err)
		}
		delete(newest, string(key))
		if r.After != nil {
			newest[string(key)] = rowOf(r.After, columns)
		}
	}
	return slices.Sorted(maps.Values(newest))
}

func rowOf(after map[string]json.RawMessage, columns []string) string {
	texts := make([]string, len(columns))
	for i, c := range columns {
		text, ok := check.Text(after[c])
		texts[i] = printed(text, ok)
	}
	return strings.Join(texts, "|")
}

func printed(text string, ok bool) string {
	if !ok {
		return "NULL"
	}
	return text
}

// rows gives a table's rows, each as text, sorted.
func (s *stage) rows(table string) (rows, columns []string) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), s.URL())
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.Context()))
	result := conn.PgConn().Exec(s.Context(), "SELECT * FROM "+table)
	for result.NextResult() {
		r := result.ResultReader()
		for _, f := range r.FieldDescriptions() {
			columns = append(columns, f.Name)
		}
		for r.NextRow() {
			texts := make([]string, len(columns))
			for i, v := range r.Values() {
				texts[i] = printed(string(v), v != nil)
			}
			rows = append(rows, strings.Join(texts, "|"))
		}
	}
	if err := result.Close(); err != nil {
		s.Fatal(err)
	}
	slices.Sort(rows)
	return rows, columns
}
