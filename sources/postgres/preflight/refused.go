package preflight

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// ExplainConnect tells the causes that a person can mend from those that pass.
// Messages of the server and of the resolver hold no secret.
func ExplainConnect(conf *pgconn.Config, on Platform, err error) error {
	where := fmt.Sprintf("%s:%d/%s", conf.Host, conf.Port, conf.Database)
	r := &pipeline.Refusal{Code: CodeConnect, Where: where, What: "cannot connect", Err: err, Mend: "start the server, or correct host and port of the url"}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return cmp.Or(explainTLS(conf, where, err), error(r))
	}
	r.Err = pgsql.ServerError(pg)
	switch {
	case pg.Code == "28000" && strings.Contains(pg.Message, "not permitted to log in"):
		r.Code, r.What = CodeRight, "user "+conf.User+" may not log in"
		r.Mend = "ALTER ROLE " + pgsql.QuoteIdent(conf.User) + " LOGIN;"
	case pg.Code == "28000" && strings.Contains(pg.Message, "no pg_hba.conf entry"):
		r.Code, r.What = CodeAuth, "no line of pg_hba.conf lets user "+conf.User+" in"
		r.Mend = on.letIn(hbaLine(conf, pg.Message))
	case strings.HasPrefix(pg.Code, "28"):
		r.Code, r.What = CodeAuth, "the server refuses user "+conf.User
		r.Mend = "correct user and password of the url, or the server's pg_hba.conf"
	case pg.Code == "42501" && strings.Contains(pg.Message, "for database"):
		r.Code, r.What = CodeRight, "user "+conf.User+" may not connect to the database"
		r.Mend = "GRANT CONNECT ON DATABASE " + pgsql.QuoteIdent(conf.Database) + " TO " + pgsql.QuoteIdent(conf.User) + ";"
	case pg.Code == "3D000":
		r.What, r.Mend = "the database does not exist", "correct the database of the url"
	case pg.Code == "42501" || strings.Contains(pg.Message, "replication role"):
		r.Code, r.What = CodeRight, "user "+conf.User+" may not replicate"
		r.Mend = on.replicate(pgsql.QuoteIdent(conf.User))
	case pg.Code == "53300" && strings.Contains(pg.Message, "wal_senders"):
		r.Code, r.What = CodeNoFreeSender, "all walsenders of the server are taken"
		r.Mend = on.Set("max_wal_senders", "20", true)
	case pg.Code == "57P03" || strings.HasPrefix(pg.Code, "53"):
		r.What, r.Mend = "the server takes no connection now", "wait; the source tries again by itself"
	case pg.Code == "42704" || pg.Code == "08P01":
		r.Code, r.What = CodeSettings, "a startup parameter was refused"
		r.Mend = Directly(net.JoinHostPort(conf.Host, fmt.Sprint(conf.Port)))
	}
	return r
}

var hbaHost = regexp.MustCompile(`for (?:replication connection from )?host "([^"]+)"`)

// hbaLine is the line of pg_hba.conf that lets a user in from where the server
// saw it. It names the database: the keyword `replication` would allow a copy of
// the whole cluster (X05).
func hbaLine(conf *pgconn.Config, message string) string {
	kind, address := "hostssl", "ADDRESS/32"
	if conf.TLSConfig == nil {
		kind = "host"
	}
	if m := hbaHost.FindStringSubmatch(message); m != nil {
		address = m[1] + "/32"
		if strings.Contains(m[1], ":") {
			address = m[1] + "/128"
		}
	} else if strings.Contains(message, "[local]") {
		kind, address = "local", ""
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s scram-sha-256", kind, hbaName(conf.Database), hbaName(conf.User), address)), " ")
}

// hbaName quotes a name where pg_hba.conf would take it for a keyword or several.
func hbaName(name string) string {
	if regexp.MustCompile(`^[a-z_][a-z0-9_]*$`).MatchString(name) && name != "all" && name != "replication" {
		return name
	}
	return pgsql.QuoteIdent(name)
}
