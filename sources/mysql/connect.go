package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline"
)

// An address is a connection string taken apart.
type address struct {
	network, host string // tcp and host:port, or unix and a path
	user          string
	password      string
	database      string
	tls           *tls.Config // nil: plaintext
}

// parseAddress reads mysql://user:password@host:port/database?tls=…. What it says of a
// mistake holds no part of the text, which has the password in it.
func parseAddress(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "mysql" && u.Scheme != "mariadb" || u.User == nil {
		return address{}, refuseConfig("the connection string is not mysql://user:password@host:port/database")
	}
	password, _ := u.User.Password()
	q := u.Query()
	a := address{network: "tcp", host: u.Host, user: u.User.Username(), password: password, database: strings.TrimPrefix(u.Path, "/")}
	switch socket := q.Get("host"); {
	case strings.HasPrefix(socket, "/"):
		a.network, a.host = "unix", socket
		if info, err := os.Stat(socket); err == nil && info.IsDir() {
			a.host = socket + "/mysqld.sock"
		}
	case u.Port() == "":
		a.host = net.JoinHostPort(u.Hostname(), "3306")
	}
	a.tls, err = tlsConfig(q, u.Hostname())
	return a, err
}

func refuseConfig(what string) error {
	return &pipeline.Refusal{Code: CodeConfig, What: what, Mend: "url: mysql://user:password@host:3306/database?tls=verify-full"}
}

// tlsConfig gives what a mode asks for; verify-full is the default.
func tlsConfig(q url.Values, host string) (*tls.Config, error) {
	mode := q.Get("tls")
	if mode == "disable" {
		return nil, nil
	}
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if ca := q.Get("ca"); ca != "" {
		pem, err := os.ReadFile(ca)
		if c.RootCAs = x509.NewCertPool(); err != nil || !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, refuseConfig("the file of ca= holds no certificate that can be read")
		}
	}
	if cert := q.Get("cert"); cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, q.Get("key"))
		if err != nil {
			return nil, refuseConfig("the files of cert= and key= hold no pair that can be read")
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch mode {
	case "", "verify-full":
	case "verify-ca":
		c.InsecureSkipVerify, c.VerifyConnection = true, verifyChain(c.RootCAs)
	case "insecure":
		c.InsecureSkipVerify = true
	default:
		return nil, refuseConfig("tls=" + mode + " is not a mode")
	}
	return c, nil
}

// verifyChain verifies who signed the certificate, and not whose name it has.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}

// A session is one connection for queries. One goroutine uses it at a time.
type session struct {
	conn    *client.Conn
	mariaDB bool
	server  string // its identity
	mu      sync.Mutex

	byPosition bool // places in its log are files and positions
}

// sessionSQL makes answers mean the same whatever the server's defaults are: times in
// UTC (M34), no padding, no backslashes, and no limit on what a slow reader takes.
const sessionSQL = `SET SESSION time_zone = '+00:00', sql_mode = 'NO_BACKSLASH_ESCAPES', net_write_timeout = 31536000, net_read_timeout = 3600,
wait_timeout = 604800, transaction_isolation = 'REPEATABLE-READ', sql_quote_show_create = 1`

// dial opens a session.
func (c *Config) dial(ctx context.Context) (*session, error) {
	a, err := c.address(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	conn, err := c.connect(ctx, a)
	if err != nil {
		return nil, explainConnect(a, err)
	}
	unbind(conn)
	s := &session{conn: conn, mariaDB: strings.Contains(conn.GetServerVersion(), "MariaDB")}
	sql := sessionSQL
	if s.mariaDB {
		sql = strings.Replace(sql, "transaction_isolation", "tx_isolation", 1)
	}
	if _, err = s.query(ctx, sql); err == nil {
		err = s.identify(ctx, c.byPosition)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

const identitySQL = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_mode', 'server_uuid', 'server_uid')"

// identify looks which server it is, and whether its transactions have GTIDs.
func (s *session) identify(ctx context.Context, byPosition bool) error {
	rows, err := s.query(ctx, identitySQL)
	if err != nil {
		return err
	}
	s.byPosition = byPosition || !s.mariaDB
	for i := range rows {
		switch name, value := strings.ToLower(rows.text(i, 0)), rows.text(i, 1); {
		case name != "gtid_mode":
			s.server = value
		case value == "ON" && !byPosition:
			s.byPosition = false
		}
	}
	return nil
}

// connect greets a server. The client takes some of what a server sends there as it comes,
// and panics at a key that is none (M37): such a server is as good as none.
func (c *Config) connect(ctx context.Context, a address) (conn *client.Conn, err error) {
	defer func() {
		if recover() != nil {
			conn, err = nil, errGreeting
		}
	}()
	return client.ConnectWithDialer(ctx, a.network, a.host, a.user, a.password, "", c.dialInTime, func(conn *client.Conn) error {
		conn.SetTLSConfig(a.tls)
		return nil
	})
}

var errGreeting = errors.New("what answers there does not greet as MySQL does")

// dialInTime bounds also how long a server may take to greet: one that hangs takes
// connections and says nothing (M21). The bound is lifted by unbind.
func (c *Config) dialInTime(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(c.ConnectTimeout))
}

func unbind(conn *client.Conn) { _ = conn.SetDeadline(time.Time{}) } // a socket that is closed says so when it is used

func (c *Config) address(ctx context.Context) (address, error) {
	text, err := c.URL(ctx)
	if err != nil {
		return address{}, err
	}
	return parseAddress(text)
}

// A result is the rows of an answer, as text; NULL is the empty text.
type result [][]string

func (r result) text(i, j int) string { return r[i][j] }

// int gives a number; what is none is 0.
func (r result) int(i, j int) int {
	var n int
	_, _ = fmt.Sscanf(r[i][j], "%d", &n)
	return n
}

// execute runs one statement. When ctx ends, so does the session.
func (s *session) execute(ctx context.Context, sql string) (*mysql.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	r, err := s.conn.Execute(sql)
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, plain(err)
}

// query runs one statement and gives all its rows. When ctx ends, so does the
// session.
func (s *session) query(ctx context.Context, sql string) (result, error) {
	r, err := s.execute(ctx, sql)
	if err != nil || r.Resultset == nil {
		return nil, err
	}
	var out result
	for i := range r.RowNumber() {
		row := make([]string, r.ColumnNumber())
		for j := range row {
			text, err := r.GetString(i, j)
			if err != nil {
				return nil, err
			}
			row[j] = strings.Clone(text) // it lies in memory that Close gives back
		}
		out = append(out, row)
	}
	r.Close()
	return out, nil
}

// close ends the session, and whoever waits for an answer. Any goroutine may call it
// at any time: the socket alone is closed, since the client's own Close writes what
// the goroutine that asks writes.
func (s *session) close() { _ = s.conn.Conn.Conn.Close() }

// plain gives what the server said without the places in the client's code.
func plain(err error) error {
	var said *mysql.MyError
	if errors.As(err, &said) {
		return said
	}
	return err
}

// serverCode is the number of the server's error, or 0.
func serverCode(err error) uint16 {
	var said *mysql.MyError
	if errors.As(err, &said) {
		return said.Code
	}
	return 0
}

// explainConnect tells the causes that a person can mend from those that pass.
func explainConnect(a address, err error) error {
	r := &pipeline.Refusal{Code: CodeConnect, Where: a.host, What: "cannot connect", Err: plain(err), Mend: "start the server, or correct host and port of the url"}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch serverCode(err) {
	case mysql.ER_ACCESS_DENIED_ERROR, mysql.ER_HOST_NOT_PRIVILEGED, 1698, 1524:
		r.Code, r.What, r.Mend = CodeAuth, "the server refuses user "+a.user, "correct user and password of the url"
		if a.tls == nil { // MariaDB says of plaintext that it may not be no more than this
			r.Mend += "; if they are right, the server takes them over TLS alone: tls=verify-full"
		}
		return r
	case 3159:
		r.Code, r.What, r.Mend = CodeTLS, "the server takes encrypted connections only", "write tls=verify-full into the url"
		return r
	case 1040:
		r.What, r.Mend = "the server has no free connection", "wait; the source tries again by itself"
		return r
	}
	switch {
	case errors.As(err, &unknown) || errors.As(err, &name) || strings.Contains(err.Error(), "certificate"):
		r.Code, r.What, r.Mend = CodeTLS, "the server's certificate is not verified", "write ca=/path/of/the/authority.pem into the url"
	case a.tls != nil && strings.Contains(err.Error(), "TLS"):
		r.Code, r.What, r.Mend = CodeTLS, "the server speaks no TLS", "turn TLS on at the server; or write tls=disable into the url, and insecure: true beside it"
	}
	return r
}
