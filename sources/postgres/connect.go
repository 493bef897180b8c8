package postgres

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/pgvalue"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// sessionSettings are sent in the startup packet of every connection, where they
// win over ALTER ROLE and ALTER DATABASE, and are read back (P44): they decide
// the text of values.
var sessionSettings = []sessionSetting{
	{"DateStyle", "ISO, MDY", "ISO, MDY"},
	{"IntervalStyle", "postgres", "postgres"},
	{"TimeZone", "UTC", "UTC"},
	{"bytea_output", "hex", "hex"},
	{"extra_float_digits", "3", "3"},
	{"lc_monetary", "C", "C"},
	{"client_encoding", "UTF8", "UTF8"},
}

type sessionSetting struct{ name, value, shown string }

// settings are those of this source's sessions. A database without an encoding is
// asked for its bytes as they are: to send them as UTF-8 the server would check
// them, and end the stream at the first text that is not, for ever (P45).
func (c *Config) settings() []sessionSetting {
	if c.InvalidText == pgvalue.Trust {
		return sessionSettings
	}
	out := slices.Clone(sessionSettings)
	for i := range out {
		if out[i].name == "client_encoding" {
			out[i].value, out[i].shown = preflight.SQLASCII, preflight.SQLASCII
		}
	}
	return out
}

// sqlSettings keep a plain connection from being cut off, and from leaving out
// rows by a row security policy without an error.
var sqlSettings = map[string]string{
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
	"row_security":                        "off",
	"search_path":                         "pg_catalog",
}

const connectTimeout = 15 * time.Second

// connect opens one connection, for replication or for SQL, and verifies its
// settings.
func (c *Config) connect(ctx context.Context, replication bool) (*pgconn.PgConn, error) {
	conn, err := c.dial(ctx, replication, nil)
	if err != nil {
		return nil, err
	}
	return conn.PgConn, nil
}

// connectBriefly opens a connection for SQL that waits for no lock longer than
// lockPatience: a statement on the catalog may take the locks of tables.
func (c *Config) connectBriefly(ctx context.Context) (*pgconn.PgConn, error) {
	conn, err := c.connect(ctx, false)
	if err != nil {
		return nil, err
	}
	if err := waitBriefly(ctx, conn); err != nil {
		closeConn(conn)
		return nil, err
	}
	return conn, nil
}

func waitBriefly(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if _, err := pgsql.SimpleQuery(ctx, conn, "SET lock_timeout = "+strconv.FormatInt(lockPatience.Milliseconds(), 10)); err != nil {
		return fmt.Errorf("limit how long locks are waited for: %w", err)
	}
	return nil
}

// connectReplication opens a replication connection together with the reader that
// its messages come from.
func (c *Config) connectReplication(ctx context.Context) (*replConn, error) {
	return c.dial(ctx, true, nil)
}

// dial connects; adjust changes what it does so with, unless it is nil.
func (c *Config) dial(ctx context.Context, replication bool, adjust func(*pgconn.Config)) (*replConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	url, err := c.URL(ctx)
	if err != nil {
		return nil, &pipeline.Refusal{Code: CodeConfig, What: "the connection string cannot be made", Err: err}
	}
	conf, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, &pipeline.Refusal{Code: CodeConfig, What: "the connection string cannot be read", Err: err, Mend: "url: postgres://user:password@host:port/database?sslmode=verify-full"}
	}
	out := &replConn{}
	c.prepare(conf, replication)
	if adjust != nil {
		adjust(conf)
	}
	conf.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		out.in = &shortener{src: r, store: c.asides}
		return pgproto3.NewFrontend(out.in, w)
	}
	conn, err := pgconn.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, preflight.ExplainConnect(conf, c.platform, err)
	}
	if err := c.verifySettings(ctx, conn); err != nil {
		closeConn(conn)
		return nil, err
	}
	out.PgConn = conn
	conn.CustomData()[shortenerKey] = out.in
	return out, nil
}

func (c *Config) prepare(conf *pgconn.Config, replication bool) {
	for _, s := range c.settings() {
		conf.RuntimeParams[s.name] = s.value
	}
	conf.RuntimeParams["application_name"] = truncate("evert "+c.Name, 63)
	if replication {
		conf.RuntimeParams["replication"] = "database"
		conf.RuntimeParams["client_min_messages"] = "warning" // some are heeded (P34)
		conf.RuntimeParams["statement_timeout"] = "0"         // making a slot may wait for long (P08)
	} else {
		for name, value := range sqlSettings {
			conf.RuntimeParams[name] = value
		}
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	conf.DialFunc = dialer.DialContext
}

func truncate(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// verifySettings reads the settings back: a pooler in between may have dropped them.
func (c *Config) verifySettings(ctx context.Context, conn *pgconn.PgConn) error {
	var list []string
	settings := c.settings()
	for _, s := range settings {
		list = append(list, "current_setting('"+s.name+"')")
	}
	rows, err := pgsql.SimpleQuery(ctx, conn, "SELECT "+strings.Join(list, ", "))
	if err != nil {
		return fmt.Errorf("read the session's settings: %w", err)
	}
	for i, s := range settings {
		if got := rows.Text(0, i); got != s.shown {
			return &pipeline.Refusal{
				Code: preflight.CodeSettings,
				What: fmt.Sprintf("the session has %s = %q although %q was asked for", s.name, got, s.value),
				Mend: "connect to the server directly, not through a pooler that drops startup parameters",
			}
		}
	}
	return nil
}

// closeConn says goodbye to the server and does not wait for long.
func closeConn(conn *pgconn.PgConn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	shortenerOf(conn).abandon()
	_ = conn.Close(ctx) // nothing can be lost by a goodbye that fails
}

// userOf names the user of the connection string, for statements to be printed.
func userOf(c *Config) string {
	url, err := c.URL(context.Background())
	if err != nil {
		return "CURRENT_USER"
	}
	conf, err := pgconn.ParseConfig(url)
	if err != nil {
		return "CURRENT_USER"
	}
	return pgsql.QuoteIdent(conf.User)
}
