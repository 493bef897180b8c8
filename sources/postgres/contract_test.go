package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/sourcetest"
)

// contract is a database under sourcetest's hand.
type contract struct {
	*db
	config Config
}

func TestContract(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) sourcetest.Backend {
		d := newDB(t)
		d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text)")
		c := d.config()
		c.BatchRows, c.ChunkRows, c.IdleInterval = 20, 50, 20*time.Millisecond
		return &contract{d, c}
	})
}

func (c *contract) New(testing.TB) pipeline.Source { return New(c.config) }

func (c *contract) Commit(t testing.TB, ops ...sourcetest.Op) string {
	var sql strings.Builder
	for _, op := range ops {
		sql.WriteString(op.SQL() + ";")
	}
	c.do("%s", "BEGIN;"+sql.String()+"COMMIT")
	return c.get("SELECT pg_current_wal_lsn()")
}

func (c *contract) Elsewhere(testing.TB) string {
	c.do("SELECT pg_logical_emit_message(true, 'elsewhere', '')")
	return c.get("SELECT pg_current_wal_lsn()")
}

func (c *contract) Foreign(from pipeline.Resume) pipeline.Resume {
	from.State = []byte(strings.Replace(string(from.State), `"system":"`, `"system":"9`, 1))
	return from
}
