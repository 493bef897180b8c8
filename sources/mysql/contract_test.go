package mysql

import (
	"context"
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
	sourcetest.Run(t, func(t *testing.T) sourcetest.Backend { return newContract(newDB(t)) })
}

// M02 M22 The same where places are files and positions.
func TestContractByPosition(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, func(t *testing.T) sourcetest.Backend { return newContract(newUnnumberedDB(t)) })
}

func newContract(d *db) *contract {
	d.do("CREATE TABLE items (id bigint PRIMARY KEY, v text)", "CREATE TABLE elsewhere (i int primary key)")
	c := d.config("items")
	c.BatchRows, c.ChunkRows, c.IdleInterval = 20, 60, 20*time.Millisecond
	return &contract{d, c}
}

// config captures the named tables. Few rows are enough to be read ahead.
func (d *db) config(tables ...string) Config {
	c := Config{
		Name: d.name, URL: func(context.Context) (string, error) { return d.server.URL(d.name), nil },
		IdleInterval: 20 * time.Millisecond, byPosition: d.byPosition, Decoders: 2, StretchLeast: 1, StretchBytes: 400,
	}
	for _, t := range tables {
		c.Named = append(c.Named, TableName{d.name, t})
	}
	return c
}

func (c *contract) New(testing.TB) pipeline.Source { return New(c.config) }

func (c *contract) Commit(_ testing.TB, ops ...sourcetest.Op) string {
	sql := []string{"BEGIN"}
	for _, op := range ops {
		sql = append(sql, op.SQL())
	}
	c.do(append(sql, "COMMIT")...)
	return c.place()
}

func (c *contract) Elsewhere(testing.TB) string {
	c.do("REPLACE INTO elsewhere VALUES (1)", "DELETE FROM elsewhere")
	return c.place()
}

// Foreign names a transaction that this server never had.
func (c *contract) Foreign(from pipeline.Resume) pipeline.Resume {
	if c.byPosition {
		from.At.Native = "bin.999999:4"
		return from
	}
	if c.mariaDB() {
		from.At.Native = strings.Replace(from.At.Native, "0-1-", "0-99-", 1)
		return from
	}
	from.At.Native = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-23"
	return from
}
