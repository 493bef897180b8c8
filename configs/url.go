package configs

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A DatabaseURL is a database's address, taken apart and with its TLS mode made
// explicit. Its password is printed by Reveal only.
type DatabaseURL struct {
	Scheme   string   // postgres or mysql
	Hosts    []string // host:port, in the order to be tried; a unix socket's directory begins with /
	User     string   // empty: the operating system's
	Password Secret
	Database string
	Mode     string // sslmode of Postgres, tls of MySQL
	params   url.Values
}

// urlFault is what is wrong with a URL, without any of its text.
type urlFault struct{ what, mend string }

func (f *urlFault) Error() string { return f.what }

// dialect is what differs between the URLs of two kinds of databases.
type dialect struct {
	scheme, alias string
	port          string
	mode          string   // the parameter of the TLS mode
	modes         []string // its values
	strict, plain string   // the values for full verification and for plaintext
	params        []string // further parameters
	example       string
	socket        string // the usual directory of the unix socket
}

func postgresDialect() dialect {
	return dialect{
		scheme: "postgres", alias: "postgresql", port: "5432",
		mode: "sslmode", modes: []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
		strict: "verify-full", plain: "disable",
		params: []string{"sslrootcert", "sslcert", "sslkey", "sslpassword", "sslsni", "sslnegotiation", "host",
			"target_session_attrs", "channel_binding", "require_auth", "krbsrvname", "krbspn"},
		socket:  "/var/run/postgresql",
		example: "postgres://user:password@host:5432/database?sslmode=verify-full",
	}
}

func mysqlDialect() dialect {
	return dialect{
		scheme: "mysql", alias: "mariadb", port: "3306",
		mode: "tls", modes: []string{"verify-full", "verify-ca", "insecure", "disable"},
		strict: "verify-full", plain: "disable",
		params:  []string{"ca", "cert", "key", "host"},
		socket:  "/run/mysqld",
		example: "mysql://user:password@host:3306/database?tls=verify-full",
	}
}

const encodeMend = "percent-encode / ? # @ : % and spaces in user and password, or give the password in the key password beside url"

// ParsePostgresURL takes a postgres:// URL apart. Where it names no sslmode,
// that is verify-full, or disable if every host is on this machine. The error
// holds nothing of the URL.
func ParsePostgresURL(raw string) (*DatabaseURL, error) { return parseURL(raw, postgresDialect()) }

// ParseMySQLURL takes a mysql:// URL apart, as ParsePostgresURL does.
func ParseMySQLURL(raw string) (*DatabaseURL, error) { return parseURL(raw, mysqlDialect()) }

func parseURL(raw string, d dialect) (*DatabaseURL, error) {
	if strings.IndexFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) >= 0 {
		return nil, &urlFault{"the URL holds a space, line end or control character", encodeMend}
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme != d.scheme && scheme != d.alias {
		return nil, &urlFault{"the URL does not begin with " + d.scheme + "://", "write " + d.example}
	}
	if strings.Contains(rest, "#") {
		return nil, &urlFault{"the URL holds a #", encodeMend}
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, ok := strings.Cut(rest, "/")
	u := &DatabaseURL{Scheme: d.scheme}
	if err := u.setAuthority(authority, d); err != nil {
		return nil, err
	}
	if u.Database, ok = unescape(path, ok); !ok || u.Database == "" || strings.Contains(path, "/") {
		return nil, &urlFault{"the URL names no database after its host, or more than one", "write " + d.example + "; " + encodeMend}
	}
	if err := u.setParams(query, d); err != nil {
		return nil, err
	}
	return u, u.setMode(d)
}

func unescape(s string, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	t, err := url.PathUnescape(s)
	return t, err == nil && utf8.ValidString(t) && !strings.ContainsRune(t, 0)
}

// setAuthority reads user:password@host:port,host:port.
func (u *DatabaseURL) setAuthority(text string, d dialect) error {
	i := strings.LastIndexByte(text, '@')
	if i >= 0 {
		if err := u.setUser(text[:i]); err != nil {
			return err
		}
	}
	hosts := text[i+1:]
	if hosts == "" {
		return nil // perhaps ?host=/directory
	}
	for h := range strings.SplitSeq(hosts, ",") {
		address, ok := hostPort(h, d.port)
		if !ok {
			return &urlFault{"the URL's host or port is malformed", encodeMend}
		}
		u.Hosts = append(u.Hosts, address)
	}
	return nil
}

func (u *DatabaseURL) setUser(text string) error {
	user, password, _ := strings.Cut(text, ":")
	name, ok1 := unescape(user, true)
	secret, ok2 := unescape(password, true)
	if !ok1 || !ok2 || strings.ContainsAny(text, "@") || strings.Contains(password, ":") {
		return &urlFault{"the URL's user or password is malformed", encodeMend}
	}
	u.User, u.Password = name, NewSecret(secret)
	return nil
}

// hostCharacters are those of names and addresses.
const hostCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:"

// hostPort completes host, host:port, [v6]:port, or an escaped socket directory.
func hostPort(text, port string) (string, bool) {
	if dir, ok := unescape(text, true); ok && strings.HasPrefix(dir, "/") {
		return dir, true
	}
	host := text
	if h, p, err := net.SplitHostPort(text); err == nil {
		if !isPort(p, 1) {
			return "", false
		}
		host, port = h, p
	} else if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		host = text[1 : len(text)-1]
	} else if strings.Contains(text, ":") {
		return "", false
	}
	if strings.Trim(host, hostCharacters) != "" || host == "" {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// setParams reads what follows the ?; a parameter stands once.
func (u *DatabaseURL) setParams(query string, d dialect) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return &urlFault{"the URL's parameters are malformed", encodeMend}
	}
	known := append([]string{d.mode}, d.params...)
	slices.Sort(known)
	for _, name := range sortedKeys(values) {
		if !slices.Contains(known, name) {
			return &urlFault{"the URL has a parameter that is not known", "use " + strings.Join(known, ", ")}
		}
		if len(values[name]) != 1 || values.Get(name) == "" || strings.ContainsRune(values.Get(name), 0) {
			return &urlFault{"the URL's parameter " + name + " is empty or stands twice", "give it one value"}
		}
	}
	u.params = values
	if dir := values.Get("host"); dir != "" {
		if len(u.Hosts) > 0 || !strings.HasPrefix(dir, "/") || strings.Contains(dir, ",") {
			return &urlFault{"the URL's parameter host is not the directory of a unix socket, or there is another host", "write " + d.scheme + ":///database?host=" + d.socket}
		}
		u.Hosts = []string{dir}
		values.Del("host")
	}
	if len(u.Hosts) == 0 {
		return &urlFault{"the URL names no host", "write " + d.example}
	}
	return nil
}

func (u *DatabaseURL) setMode(d dialect) error {
	u.Mode = u.params.Get(d.mode)
	u.params.Del(d.mode)
	switch {
	case u.Mode == "" && u.Local():
		u.Mode = d.plain
	case u.Mode == "":
		u.Mode = d.strict
	case !slices.Contains(d.modes, u.Mode):
		return &urlFault{"the URL's " + d.mode + " is not one of " + strings.Join(d.modes, ", "), "write " + d.mode + "=" + d.strict}
	}
	return nil
}

// Local reports whether every host is a loopback address or a unix socket.
func (u *DatabaseURL) Local() bool {
	return !slices.ContainsFunc(u.Hosts, func(h string) bool {
		return !strings.HasPrefix(h, "/") && !addressIsLoopback(h)
	})
}

// Weak reports whether the TLS mode is weaker than verify-full and a host is
// not on this machine.
func (u *DatabaseURL) Weak() bool { return u.Mode != string(TLSVerifyFull) && !u.Local() }

// String prints the URL without its password and parameters.
func (u *DatabaseURL) String() string {
	var b strings.Builder
	b.WriteString(u.Scheme + "://")
	if u.User != "" {
		b.WriteString(url.PathEscape(u.User))
		if !u.Password.IsZero() {
			b.WriteString(":" + Redacted)
		}
		b.WriteString("@")
	}
	b.WriteString(u.hostList() + "/" + url.PathEscape(u.Database) + "?" + u.modeParam() + "=" + u.Mode)
	return b.String()
}

// GoString prints what String does.
func (u *DatabaseURL) GoString() string { return u.String() }

// Reveal gives the URL with its password and with the TLS mode spelled out, for
// the driver that connects.
func (u *DatabaseURL) Reveal() (string, error) {
	password, err := u.Password.Reveal()
	if err != nil {
		return "", err
	}
	params := url.Values{u.modeParam(): {u.Mode}}
	for name, v := range u.params {
		params[name] = v
	}
	out := url.URL{Scheme: u.Scheme, Path: "/" + u.Database, RawPath: "/" + url.PathEscape(u.Database), Host: u.hostList()}
	if len(u.Hosts) == 1 && strings.HasPrefix(u.Hosts[0], "/") {
		out.Host = ""
		params.Set("host", u.Hosts[0])
	}
	switch {
	case password != "":
		out.User = url.UserPassword(u.User, password)
	case u.User != "":
		out.User = url.User(u.User)
	}
	out.RawQuery = params.Encode()
	return out.String(), nil
}

func (u *DatabaseURL) modeParam() string {
	if u.Scheme == "mysql" {
		return "tls"
	}
	return "sslmode"
}

func (u *DatabaseURL) hostList() string {
	out := make([]string, len(u.Hosts))
	for i, h := range u.Hosts {
		out[i] = h
		if strings.HasPrefix(h, "/") {
			out[i] = url.PathEscape(h)
		}
	}
	return strings.Join(out, ",")
}

// connect reveals a URL and the password beside it, and checks both together.
// It runs at load and again at every connect, since files may have changed.
func connect(raw, password Secret, insecure bool, d dialect) (*DatabaseURL, error) {
	text, err := raw.Reveal()
	if err != nil {
		return nil, err
	}
	u, err := parseURL(text, d)
	if err != nil {
		return nil, err
	}
	if !password.IsZero() {
		if !u.Password.IsZero() {
			return nil, &urlFault{"there is a password in url and another beside it", "leave one of them out"}
		}
		if _, err := password.Reveal(); err != nil {
			return nil, err
		}
		u.Password = password
	}
	if u.Weak() && !insecure {
		return nil, &weakTLS{d.mode, u.Mode}
	}
	return u, nil
}

// weakTLS is a mode that needs `insecure: true`.
type weakTLS struct{ param, mode string }

func (e *weakTLS) Error() string {
	return e.param + "=" + e.mode + " does not verify the server fully, and it is not on this machine"
}

// Connect gives the address to connect to, with secrets read anew. It refuses
// weak TLS without `insecure: true` (X01). The error holds no secret.
func (p *Postgres) Connect() (*DatabaseURL, error) {
	u, err := connect(p.URL, p.Password, p.Insecure, postgresDialect())
	if err == nil && p.ConnectTimeout > 0 {
		seconds := int((p.ConnectTimeout + time.Second - 1) / time.Second)
		u.params.Set("connect_timeout", strconv.Itoa(seconds))
	}
	return u, err
}

// ConnectSnapshot gives the address of the standby that tables are copied from.
func (p *Postgres) ConnectSnapshot() (*DatabaseURL, error) {
	u, err := connect(p.Snapshot.URL, Secret{}, p.Insecure, postgresDialect())
	if err == nil && u.Password.IsZero() {
		return connect(p.Snapshot.URL, p.Password, p.Insecure, postgresDialect())
	}
	return u, err
}

// Connect gives the address to connect to, as for Postgres.
func (m *MySQL) Connect() (*DatabaseURL, error) {
	return connect(m.URL, m.Password, m.Insecure, mysqlDialect())
}

// Connect gives the address to connect to, as for a source.
func (p *PostgresSink) Connect() (*DatabaseURL, error) {
	return connect(p.URL, p.Password, p.Insecure, postgresDialect())
}

// Revealed is Reveal of what Connect gives, which may be an error.
func Revealed(u *DatabaseURL, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return u.Reveal()
}

// webURL is the address of an HTTP service. The error holds nothing of it.
func webURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, &urlFault{"the URL is malformed", "write https://host:port; give user and password in the keys username and password"}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, &urlFault{"the URL does not begin with http:// or https://", "write https://host:port"}
	case u.Hostname() == "" || u.Port() != "" && !isPort(u.Port(), 1):
		return nil, &urlFault{"the URL's host or port is malformed", "write https://host:port"}
	case u.User != nil:
		return nil, &urlFault{"the URL holds a user or password", "give them in the keys username and password"}
	case u.RawQuery != "" || u.Fragment != "":
		return nil, &urlFault{"the URL holds parameters", "write https://host:port/path"}
	}
	return u, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
