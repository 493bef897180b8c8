//go:build unix

package security

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline/log/kafka/certtest"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

const password = canary + "-right"

// broker is one Apache Kafka with a listener for each kind of door.
type broker struct {
	*kafkaserver.Cluster
	ours, others *certtest.Authority
	signs        *signer // of the tokens that the broker takes
	keys         *httptest.Server
}

// one is the broker that all tests share, started by the first.
var one struct {
	sync.Once
	*broker
	err error
}

func theBroker(t *testing.T) *broker {
	t.Helper()
	d := kafkatest.Distribution(t)
	one.Do(func() {
		one.broker = &broker{ours: certtest.New(t, "ours"), others: certtest.New(t, "others"), signs: newSigner(t, "ours")}
		one.keys = httptest.NewServer(one.signs)
		one.Cluster, one.err = kafkaserver.Start(context.Background(), d, one.doors(t))
	})
	if one.err != nil {
		t.Fatal(one.err)
	}
	return one.broker
}

func closeBroker() (code int) {
	if one.broker == nil || one.Cluster == nil {
		return 0
	}
	one.keys.Close()
	if err := one.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close Kafka:", err)
		return 1
	}
	return 0
}

func (b *broker) doors(t *testing.T) kafkaserver.Options {
	here := []string{"127.0.0.1", "localhost"}
	right := b.keystore(b.ours.Issue(t, certtest.Leaf{Name: "broker", Hosts: here}))
	expired := b.keystore(b.ours.Issue(t, certtest.Leaf{Name: "broker", Hosts: here, End: time.Now().Add(-time.Hour)}))
	elsewhere := b.keystore(b.ours.Issue(t, certtest.Leaf{Name: "broker", Hosts: []string{"kafka.example"}}))
	tokens := b.tokens()
	return kafkaserver.Options{
		Java:  []string{"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + b.keys.URL},
		Users: []kafkaserver.User{{Name: "evert", Password: password, Mechanism: "SCRAM-SHA-256"}, {Name: "evert", Password: password, Mechanism: "SCRAM-SHA-512"}},
		Listeners: []kafkaserver.Listener{
			{Name: "TLS", Protocol: "SSL", Config: right},
			{Name: "EXPIRED", Protocol: "SSL", Config: expired},
			{Name: "ELSEWHERE", Protocol: "SSL", Config: elsewhere},
			{Name: "MUTUAL", Protocol: "SSL", Config: with(right, map[string]string{
				"ssl.client.auth": "required", "ssl.truststore.type": "PEM", "ssl.truststore.certificates": string(b.ours.PEM)})},
			{Name: "SASL", Protocol: "SASL_SSL", Config: with(right, mechanisms("PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"), tokens)},
			{Name: "SCRAMONLY", Protocol: "SASL_SSL", Config: with(right, mechanisms("SCRAM-SHA-512"))},
			{Name: "CLEAR", Protocol: "SASL_PLAINTEXT", Config: mechanisms("PLAIN,SCRAM-SHA-512")},
			{Name: "SHORT", Protocol: "SASL_SSL", Config: with(right, mechanisms("SCRAM-SHA-512,OAUTHBEARER"), tokens, map[string]string{
				"scram-sha-512.connections.max.reauth.ms": "2000", "oauthbearer.connections.max.reauth.ms": "2000"})},
		},
	}
}

func (b *broker) keystore(p certtest.Pair) map[string]string {
	return map[string]string{"ssl.keystore.type": "PEM", "ssl.keystore.certificate.chain": string(p.Cert), "ssl.keystore.key": string(p.Key)}
}

// mechanisms are what a listener offers, and who they know.
func mechanisms(list string) map[string]string {
	const login = "org.apache.kafka.common.security."
	return map[string]string{
		"sasl.enabled.mechanisms":        list,
		"plain.sasl.jaas.config":         login + `plain.PlainLoginModule required user_evert="` + password + `";`,
		"scram-sha-256.sasl.jaas.config": login + "scram.ScramLoginModule required;",
		"scram-sha-512.sasl.jaas.config": login + "scram.ScramLoginModule required;",
		"oauthbearer.sasl.jaas.config":   login + "oauthbearer.OAuthBearerLoginModule required;",
	}
}

// tokens have Kafka's own validator judge what OAUTHBEARER shows: it fetches the
// issuer's keys, and checks signature, issuer, audience and time.
func (b *broker) tokens() map[string]string {
	return map[string]string{
		"oauthbearer.sasl.server.callback.handler.class":              "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
		"oauthbearer.sasl.oauthbearer.jwks.endpoint.url":              b.keys.URL,
		"oauthbearer.sasl.oauthbearer.expected.audience":              audience,
		"oauthbearer.sasl.oauthbearer.expected.issuer":                tokenIssuer,
		"oauthbearer.sasl.oauthbearer.clock.skew.seconds":             "1",
		"oauthbearer.sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": "100",
	}
}

func with(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// issuer is a token endpoint.
func (b *broker) issuer(t *testing.T, life time.Duration) (url, ca string) {
	authority := certtest.New(t, "issuer")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, secret, _ := r.BasicAuth(); id != "evert" || secret != password {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"access_token":%q,"expires_in":%d}`, b.signs.token(claims(life)), int(life.Seconds()))
	}))
	s.TLS = serverTLS(authority.Issue(t, certtest.Leaf{Name: "issuer", Hosts: []string{"127.0.0.1"}}).TLS(t))
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, authority.File(t, t.TempDir())
}

// TestKafka tries every door of one broker.
func TestKafka(t *testing.T) {
	t.Parallel()
	b, dir := theBroker(t), t.TempDir()
	server := pg.Server(t)
	ca, otherCA := b.ours.File(t, dir), b.others.File(t, dir)
	cert, key := b.ours.Issue(t, certtest.Leaf{Name: "evert"}).Files(t, dir, "client")
	strange, strangeKey := b.others.Issue(t, certtest.Leaf{Name: "evert"}).Files(t, dir, "stranger")
	tokenURL, tokenCA := b.issuer(t, time.Hour)
	token := filepath.Join(dir, "token")
	write(t, token, b.signs.token(claims(time.Hour)))
	trust := "tls: {ca: " + ca + "}"
	oauth := func(token string) string { return "sasl: {mechanism: oauthbearer, token: " + token + "}" }
	user := func(mechanism, password string) string {
		return fmt.Sprintf("sasl: {mechanism: %s, username: evert, password: %q}", mechanism, password)
	}
	fetched := func(secret string) string {
		return fmt.Sprintf("sasl: {mechanism: oauthbearer, token_url: %q, token_ca: %s, client_id: evert, client_secret: %q, scope: kafka}", tokenURL, tokenCA, secret)
	}
	for _, a := range []struct {
		listener string
		attempt
	}{
		{"TLS", attempt{name: "X01 right", yaml: trust}},
		{"ELSEWHERE", attempt{name: "X01 right by its other name", yaml: "tls: {server_name: kafka.example, ca: " + ca + "}"}},
		{"MUTUAL", attempt{name: "K28 X01 right with a client's certificate that ends tomorrow", says: "a certificate ends soon", yaml: "tls: {ca: " + ca + ", cert: " + cert + ", key: " + key + "}"}},
		{"TLS", attempt{name: "X01 wrong authority", yaml: "tls: {ca: " + otherCA + "}", code: "KAFKA_TLS", says: "not signed by an authority that is trusted"}},
		{"TLS", attempt{name: "X01 the system's authorities", yaml: "tls: {}", code: "KAFKA_TLS", says: "not signed by an authority that is trusted"}},
		{"ELSEWHERE", attempt{name: "X01 wrong name", yaml: trust, code: "KAFKA_TLS", says: "for other names than 127.0.0.1"}},
		{"EXPIRED", attempt{name: "X01 expired", yaml: trust, code: "KAFKA_TLS", says: "has expired"}},
		{"TLS", attempt{name: "X01 plaintext to a port with TLS", yaml: "tls: {mode: disable}", code: "KAFKA_TLS", says: "plaintext"}},
		{"PLAINTEXT", attempt{name: "X01 TLS to a plaintext port", yaml: trust, code: "KAFKA_TLS", says: "TLS"}},
		{"MUTUAL", attempt{name: "X02 no client certificate where one is wanted", yaml: trust, code: "KAFKA_AUTH", says: "does not accept this client's TLS"}},
		{"MUTUAL", attempt{name: "X02 a client certificate of another authority", yaml: "tls: {ca: " + ca + ", cert: " + strange + ", key: " + strangeKey + "}", code: "KAFKA_AUTH", says: "does not accept this client's TLS"}},
		{"SASL", attempt{name: "X02 PLAIN over TLS", yaml: trust + ", " + user("plain", password)}},
		{"SASL", attempt{name: "X02 SCRAM-SHA-256", yaml: trust + ", " + user("scram-sha-256", password)}},
		{"SASL", attempt{name: "X02 SCRAM-SHA-512", yaml: trust + ", " + user("scram-sha-512", password)}},
		{"SASL", attempt{name: "X02 OAUTHBEARER from a file", yaml: trust + `, sasl: {mechanism: oauthbearer, token: "${file:` + token + `}"}`}},
		{"SASL", attempt{name: "X02 OAUTHBEARER from an endpoint", yaml: trust + ", " + fetched(password)}},
		{"CLEAR", attempt{name: "X02 SCRAM-SHA-512 in plaintext on this machine", yaml: user("scram-sha-512", password)}},
		{"SASL", attempt{name: "X02 PLAIN, wrong password", yaml: trust + ", " + user("plain", canary), code: "KAFKA_AUTH", says: "does not know this user, or not with this secret"}},
		{"SASL", attempt{name: "X02 SCRAM, wrong password", yaml: trust + ", " + user("scram-sha-512", canary), code: "KAFKA_AUTH", says: "does not know this user, or not with this secret"}},
		{"SASL", attempt{name: "X02 an expired token", yaml: trust + ", " + oauth(b.signs.token(claims(-time.Hour))), code: "KAFKA_TOKEN", says: "the token expired at"}},
		{"SASL", attempt{name: "X02 no token", yaml: trust + ", " + oauth(canary), code: "KAFKA_AUTH", says: "does not take the token"}},
		{"SASL", attempt{name: "X02 a token that somebody else signed", yaml: trust + ", " + oauth(newSigner(t, "ours").token(claims(time.Hour))), code: "KAFKA_AUTH", says: "does not take the token"}},
		{"SASL", attempt{name: "X02 a token signed with a key that nobody knows", yaml: trust + ", " + oauth(newSigner(t, "strange").token(claims(time.Hour))), code: "KAFKA_AUTH", says: "does not take the token"}},
		{"SASL", attempt{name: "X02 a token without a signature", yaml: trust + ", " + oauth(unsecured(claims(time.Hour))), code: "KAFKA_AUTH", says: "does not take the token"}},
		{"SASL", attempt{name: "X02 a token for another audience", yaml: trust + ", " + oauth(b.signs.token(claims(time.Hour, "aud", "elsewhere"))), code: "KAFKA_AUTH", says: "does not take the token"}},
		{"SASL", attempt{name: "X02 a token of another issuer", yaml: trust + ", " + oauth(b.signs.token(claims(time.Hour, "iss", "https://elsewhere.example"))), code: "KAFKA_AUTH", says: "does not take the token"}},
		{"SASL", attempt{name: "X02 an endpoint that gives no token", yaml: trust + ", " + fetched(canary), code: "KAFKA_TOKEN", says: "HTTP 401 invalid_client"}},
		{"SCRAMONLY", attempt{name: "X02 a mechanism that is not offered", yaml: trust + ", " + user("plain", password), code: "KAFKA_AUTH", says: "do not offer PLAIN"}},
		{"SASL", attempt{name: "X02 no SASL where it is wanted", yaml: trust, code: "KAFKA_AUTH", says: "as a listener with SASL does"}},
		{"TLS", attempt{name: "X02 SASL where none is wanted", yaml: trust + ", " + user("scram-sha-512", password), code: "KAFKA_AUTH", says: "wants no SASL"}},
	} {
		t.Run(a.name, func(t *testing.T) {
			w := suite.NewWorld(t, server, fmt.Sprintf("door_%d", doors.Add(1)))
			w.SQL(w.Database, "CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)", "ALTER TABLE t OWNER TO capture")
			a.run(t, suite.Evert(t), "evert.yaml", kafkaFile(w, b.Addresses(a.listener)[0], a.yaml))
		})
	}
}

var doors atomic.Int64

func kafkaFile(w *harness.World, address, yaml string) string {
	return fmt.Sprintf(`name: %s
data_dir: %s
kafka: {brokers: ["%s"], topics: {replication_factor: 1}, %s}
sources: {db: {topic_prefix: %[1]s, postgres: {url: "%[5]s", tables: [public.*]}}}
serve: {http: none}
`, w.Database, w.Data(), address, yaml, w.URL())
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
