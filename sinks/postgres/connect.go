package postgres

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
)

// sessionSettings are sent in the startup packet, where they win over ALTER ROLE
// and ALTER DATABASE, and are read back: they decide how the text of values is
// read and printed.
var sessionSettings = [...]struct{ name, value string }{
	{"DateStyle", "ISO, MDY"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"bytea_output", "hex"},
	{"extra_float_digits", "3"},
	{"lc_monetary", "C"},
	{"client_encoding", "UTF8"},
	{"search_path", "pg_catalog"},
}

const connectTimeout = 15 * time.Second

// applicationName is how the sink shows in pg_stat_activity.
func (c *Config) applicationName() string {
	name := "evert sink " + c.Group
	return name[:min(len(name), 63)]
}

// dial opens one connection and verifies its settings.
func (c *Config) dial(ctx context.Context) (*pgx.Conn, error) {
	if c.URL == nil || c.Table.Name == "" || c.Name == "" {
		return nil, &pipeline.Refusal{Code: CodeConfig, What: "the sink has no name, table or connection string", Mend: "table: schema.table, and url: postgres://user:password@host:port/database"}
	}
	if len(c.Table.Name) > maxName || len(c.Positions.Name) > maxName {
		return nil, c.tooLong()
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	url, err := c.URL(ctx)
	if err != nil {
		return nil, &pipeline.Refusal{Code: CodeConfig, What: "the connection string cannot be made", Err: err}
	}
	conf, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, &pipeline.Refusal{Code: CodeConfig, What: "the connection string cannot be read", Mend: "url: postgres://user:password@host:port/database?sslmode=verify-full"}
	}
	c.prepare(conf)
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, explainConnect(conf, err)
	}
	if err := verify(ctx, conn); err != nil {
		goodbye(conn)
		return nil, err
	}
	return conn, nil
}

func (c *Config) tooLong() *pipeline.Refusal {
	return c.refuse(CodeConfig, "its name is longer than the 63 bytes that Postgres keeps", "name it by those 63 bytes")
}

func (c *Config) prepare(conf *pgx.ConnConfig) {
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec
	for _, s := range sessionSettings {
		conf.RuntimeParams[s.name] = s.value
	}
	conf.RuntimeParams["application_name"] = c.applicationName()
	conf.RuntimeParams["lock_timeout"] = fmt.Sprint(c.LockWait.Milliseconds())
	conf.RuntimeParams["statement_timeout"] = "0" // a switch takes as long as it takes
	conf.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	conf.RuntimeParams["client_min_messages"] = "warning"
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	conf.DialFunc = dialer.DialContext
}

// verify reads the settings back: a pooler in between may have dropped them. A
// server that takes no writes is refused here, before anything is tried.
func verify(ctx context.Context, conn *pgx.Conn) error {
	for _, s := range sessionSettings {
		var got string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", s.name).Scan(&got); err != nil {
			return passing("read the session's settings", err)
		}
		if got != s.value {
			return &pipeline.Refusal{Code: CodeSettings,
				What: fmt.Sprintf("the session has %s = %q although %q was asked for", s.name, got, s.value),
				Mend: "connect to the server directly, not through a pooler that drops startup parameters"}
		}
	}
	var version int
	var standby bool
	err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int, pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool").Scan(&version, &standby)
	switch {
	case err != nil:
		return passing("read the server's version", err)
	case version < minVersion:
		return &pipeline.Refusal{Code: CodeVersion, What: fmt.Sprintf("the server is Postgres %d, older than 12", version/10000), Mend: "upgrade the server to Postgres 12 or newer"}
	case standby:
		return &pipeline.Refusal{Code: CodeStandby, What: "the server takes no writes: it is a standby, or its sessions are read-only by default",
			Mend: "name all servers in the url, and ?target_session_attrs=read-write: the one that takes writes is found"}
	}
	return nil
}

const (
	minVersion              = 120000
	nullsNotDistinctVersion = 150000
)

// explainConnect says why there is no connection. Neither a password nor the
// text of the connection string is in it.
func explainConnect(conf *pgx.ConnConfig, err error) error {
	where := fmt.Sprintf("%s:%d", conf.Host, conf.Port)
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		if strings.HasPrefix(pg.Code, "28") || pg.Code == "3D000" || pg.Code == "42501" {
			return &pipeline.Refusal{Code: CodeAuth, Where: where, What: "the server refuses user " + conf.User, Err: serverError(pg),
				Mend: "correct user, password and database of the url, or the server's pg_hba.conf"}
		}
		return &pipeline.Refusal{Code: CodeConnect, Where: where, What: "the server refuses the connection", Err: serverError(pg), Mend: "see that the server runs and takes connections"}
	}
	if untrusted(err) {
		return &pipeline.Refusal{Code: CodeTLS, Where: where, What: "its certificate cannot be trusted, or it does not speak TLS", Err: err,
			Mend: "url: postgres://…?sslmode=verify-full&sslrootcert=FILE   # the PEM certificate of the server's authority"}
	}
	return &pipeline.Refusal{Code: CodeConnect, Where: where, What: "the server cannot be reached", Err: errors.Unwrap(err), Mend: "see that the server runs and can be reached from here"}
}

func untrusted(err error) bool {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) || strings.Contains(err.Error(), "refused TLS connection")
}

// goodbye closes a connection without waiting for long.
func goodbye(conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing can be lost by a goodbye that fails
}
