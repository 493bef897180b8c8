package postgres

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// pooled warns if the server's session is not the one that was connected to: then
// something between hands on what is said, and it may be to another session each
// time. Neon's own proxy looks like that and is none.
func (s *Source) pooled(ctx context.Context) []pipeline.Finding {
	var told, has string
	err := s.side.use(ctx, func(conn *pgconn.PgConn) error {
		rs, err := pgsql.Query(ctx, conn, "SELECT pg_backend_pid()")
		told, has = fmt.Sprint(conn.PID()), rs.Text(0, 0)
		return err
	})
	host := hostOf(&s.config)
	if err != nil || told == has || s.facts.Platform == preflight.Neon && !strings.Contains(host, "-pooler.") {
		return nil
	}
	return []pipeline.Finding{pipeline.Found(pipeline.Warns, pipeline.Refusal{
		Code: CodePooler, Where: host, What: "a connection pooler lies between: the server's session is not the one that was connected to", Mend: preflight.Directly(host),
	})}
}

// hostOf is host and port of the connection string; empty if it cannot be read.
func hostOf(c *Config) string {
	url, err := c.URL(context.Background())
	if err != nil {
		return ""
	}
	conf, err := pgconn.ParseConfig(url)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(conf.Host, fmt.Sprint(conf.Port))
}
