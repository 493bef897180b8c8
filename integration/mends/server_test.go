//go:build unix

package mends

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

// A serverStory needs a server of its own, because its mend is for the whole of
// it. They are played one after the other.
type serverStory struct {
	code pipeline.Code
	what string
	play func(s *stage, settings map[string]string)
}

func (st *serverStory) name() string { return storyName(st.code, st.what) }

func ofServer() []serverStory {
	return []serverStory{
		{"PG_SLOT_LOST", "held back too much", slotLost},
		{"PG_NO_FREE_SENDER", "all taken", noFreeSender},
		{"PG_RETENTION", "without a limit", retention},
	}
}

func TestMendsOfServer(t *testing.T) {
	t.Parallel()
	settings := map[string]string{"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB",
		"max_wal_size": "4MB", "min_wal_size": "2MB", "wal_keep_size": "0"}
	server, err := pgserver.Start(t.Context(), pgtest.Binaries(t), pgserver.Options{Initdb: []string{"--wal-segsize=1"}, Kept: pgtest.Kept(), Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for _, st := range ofServer() {
		t.Run(st.name(), func(t *testing.T) { st.play(newStage(t, server, harness.Options{}), settings) })
	}
}

// restart lets ALTER SYSTEM have its way, which the settings of the command line
// would hide.
func (s *stage) restart(settings map[string]string) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), s.Postgres.URL("postgres"))
	if err != nil {
		s.Fatal(err)
	}
	rows, err := conn.Query(s.Context(), "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'")
	if err != nil {
		s.Fatal(err)
	}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error { settings[name] = value; return nil })
	if err != nil {
		s.Fatal(err)
	}
	_ = conn.Close(s.Context())
	if err := s.Postgres.Restart(s.Context(), pgserver.Fast); err != nil {
		s.Fatal(err)
	}
}

func slotLost(s *stage, _ map[string]string) {
	s.admin("ALTER SYSTEM SET max_slot_wal_keep_size = '2MB'", "SELECT pg_reload_conf()")
	s.caughtUp()
	s.own("DELETE FROM t WHERE id = 1", "CREATE TEMP TABLE noise (s text)")
	harness.Until(s, "the slot is lost", func() bool { // the checkpointer hears of the limit later
		s.admin("SELECT pg_logical_emit_message(false, 'noise', repeat('x', 500000))", "SELECT pg_switch_wal()", "CHECKPOINT")
		return s.walStatus() == "lost"
	})
	out, exit := s.sh("evert run --until-caught-up")
	if exit == 0 {
		s.Fatalf("not refused:\n%s", out)
	}
	s.obey(mendOf(s, out, "PG_SLOT_LOST"), false)
	s.equal(&story{})
	s.admin("ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")
}

// walStatus is what the server says of the log that it keeps for the slot.
func (s *stage) walStatus() (status string) {
	s.Helper()
	conn, err := pgx.Connect(s.Context(), s.Postgres.URL(s.Database))
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(s.Context()))
	if err := conn.QueryRow(s.Context(), "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1", s.slot()).Scan(&status); err != nil {
		s.Fatal(err)
	}
	return status
}

func noFreeSender(s *stage, settings map[string]string) {
	settings["max_wal_senders"] = "1"
	s.restart(settings)
	held, err := pgconn.Connect(s.Context(), s.URL()+"&replication=database")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = held.Close(context.Background()) })
	for _, verb := range []string{"evert check --connect", "evert run --until-caught-up"} { // they know it from different places
		out, exit := s.sh(verb)
		if exit != 3 {
			s.Fatalf("%s: exit code %d:\n%s", verb, exit, out)
		}
		s.obey(mendOf(s, out, "PG_NO_FREE_SENDER"), false)
	}
	s.restart(settings)
	s.equal(&story{})
}

func retention(s *stage, _ map[string]string) {
	out, exit := s.sh("evert check --connect")
	if exit != 0 {
		s.Fatalf("exit code %d:\n%s", exit, out)
	}
	s.obey(mendOf(s, out, "PG_RETENTION"), false)
	if out, _ := s.sh("evert check --connect"); strings.Contains(out, "PG_RETENTION") {
		s.Fatalf("the warning has not gone:\n%s", out)
	}
	s.equal(&story{})
}
