package mysql

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log/kafka/certtest"
	"github.com/evertdb/evert/sources/mysql/mysqlserver/mysqltest"
)

// dialTo opens a session at a connection string, as sources do.
func dialTo(t *testing.T, text string) (*session, error) {
	t.Helper()
	c := Config{URL: func(context.Context) (string, error) { return text, nil }, ConnectTimeout: time.Minute}
	s, err := c.dial(t.Context())
	if err == nil {
		t.Cleanup(s.close)
	}
	return s, err
}

// A rogue is who answers in a server's place; it greets one client.
type rogue struct {
	net.Listener
	key *rsa.PrivateKey // nil: what it sends for its public key is none
}

func newRogue(t *testing.T, key *rsa.PrivateKey) *rogue {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &rogue{l, key}
}

func (r *rogue) url() string { return "mysql://u:pw@" + r.Addr().String() + "/?tls=disable" }

// greet lets a client in. The connection is the caller's, also after an error.
func (r *rogue) greet() (net.Conn, *server.Conn, error) {
	raw, err := r.Accept()
	if err != nil {
		return nil, nil, err
	}
	s := server.NewServer("8.4.0", mysql.DEFAULT_COLLATION_ID, mysql.AUTH_NATIVE_PASSWORD, r.key, nil)
	conn, err := s.NewConn(raw, "u", "pw", server.EmptyHandler{})
	return raw, conn, err
}

// M37 a server whose greeting cannot be is an error, and no end of the process.
func TestRogueGreeting(t *testing.T) {
	t.Parallel()
	r := newRogue(t, nil)
	go func() {
		if raw, _, _ := r.greet(); raw != nil {
			_ = raw.Close()
		}
	}()
	if _, err := dialTo(t, r.url()); pipeline.CodeOf(err) != CodeConnect || !errors.Is(err, errGreeting) {
		t.Errorf("got %v", err)
	}
}

// M37 a server that answers a statement with LOCAL INFILE is refused, and is sent nothing.
func TestRogueServer(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("what the server shall not have"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	r := newRogue(t, key)
	type answer struct {
		sent []byte
		err  error
	}
	told := make(chan answer, 1)
	go func() {
		sent, err := r.askForFile(secret)
		told <- answer{sent, err}
	}()
	if _, err := dialTo(t, r.url()); err == nil {
		t.Fatal("the source goes on with a server that asks for a file")
	}
	if a := <-told; a.err != nil || len(a.sent) > 0 {
		t.Errorf("the server was sent %d bytes (%v)", len(a.sent), a.err)
	}
}

// askForFile answers the first statement with a request for a file, and gives what the
// client sends behind that until it closes.
func (r *rogue) askForFile(name string) ([]byte, error) {
	raw, conn, err := r.greet()
	if raw != nil {
		defer raw.Close()
	}
	if err != nil {
		return nil, err
	}
	if _, err := conn.ReadPacket(); err != nil {
		return nil, err
	}
	request := append([]byte{0, 0, 0, 0, mysql.LocalInFile_HEADER}, name...) // four bytes are for the header
	if err := conn.WritePacket(request); err != nil {
		return nil, err
	}
	return io.ReadAll(raw)
}

// M37 what a server demands of a connection is met, or said with what mends it.
func TestSafeConnections(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "evert-my-tls-") // that of t.TempDir is private, and the server is another user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ours, others := certtest.New(t, "ours"), certtest.New(t, "others")
	cert, key := ours.Issue(t, certtest.Leaf{Name: "server", Hosts: []string{"127.0.0.1"}}).Files(t, dir, "server")
	authority, wrong := ours.File(t, dir), others.File(t, dir)
	for path, mode := range map[string]os.FileMode{dir: 0o755, cert: 0o644, key: 0o644, authority: 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	settings := map[string]string{"ssl-cert": cert, "ssl-key": key, "ssl-ca": authority}
	if b := mysqltest.Binaries(t); b.MariaDB() {
		if settings["plugin-dir"], err = b.Plugins("auth_ed25519.so"); err != nil {
			t.Fatal(err)
		}
	}
	s := mysqltest.Start(t, mysqltest.Options{Settings: settings})
	sql := []string{"CREATE USER hashed IDENTIFIED BY 'pw'"} // by caching_sha2_password
	if s.Binaries().MariaDB() {
		sql = []string{"INSTALL SONAME 'auth_ed25519'", "CREATE USER hashed IDENTIFIED VIA ed25519 USING PASSWORD('pw')"}
	}
	sql = append(sql, "CREATE USER safe IDENTIFIED BY 'pw'", "SET GLOBAL require_secure_transport = ON")
	if _, err := s.Exec(t.Context(), "", sql...); err != nil {
		t.Fatal(err)
	}
	at := func(user, password string, q url.Values) string {
		u := url.URL{Scheme: "mysql", User: url.UserPassword(user, password), Host: s.Address(), Path: "/", RawQuery: q.Encode()}
		return u.String()
	}
	plaintext := pipeline.Code(CodeTLS)
	if s.Binaries().MariaDB() && strings.HasPrefix(s.Binaries().Version, "10.") { // newer ones say why
		plaintext = CodeAuth
	}
	for name, c := range map[string]struct {
		url  string
		code pipeline.Code
	}{
		"the authority is known":            {at("safe", "pw", url.Values{"ca": {authority}}), ""},
		"whose name it is does not matter":  {at("safe", "pw", url.Values{"ca": {authority}, "tls": {"verify-ca"}}), ""},
		"nothing is verified, if so wished": {at("safe", "pw", url.Values{"tls": {"insecure"}}), ""},
		"verified is what is not said":      {at("safe", "pw", nil), CodeTLS},
		"another authority":                 {at("safe", "pw", url.Values{"ca": {wrong}}), CodeTLS},
		"plaintext":                         {at("safe", "pw", url.Values{"tls": {"disable"}}), plaintext},
		"another password":                  {at("safe", "no", url.Values{"ca": {authority}}), CodeAuth},
		"a newer way to log in":             {at("hashed", "pw", url.Values{"ca": {authority}}), ""},
		"that, another password":            {at("hashed", "no", url.Values{"ca": {authority}}), CodeAuth},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dialTo(t, c.url)
			if pipeline.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
				t.Errorf("got %v, want %q", err, c.code)
			}
			if name == "plaintext" && !strings.Contains(fmt.Sprint(err), "tls=verify-full") {
				t.Errorf("%v does not say what mends it", err)
			}
		})
	}
}
