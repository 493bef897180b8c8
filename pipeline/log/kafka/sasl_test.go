package kafka

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAccess(t *testing.T) {
	c := cluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "evert", "right"), kfake.Superuser("PLAIN", "evert", "right"), kfake.Superuser("SCRAM-SHA-256", "evert", "right"))
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		var password atomic.Value
		password.Store("right")
		var asked atomic.Int32
		cfg := config(c)
		cfg.SASL = &SASL{Mechanism: mechanism, Credentials: func(context.Context) (string, string, error) {
			asked.Add(1)
			return "evert", password.Load().(string), nil
		}}
		l := open(t, cfg)
		before := asked.Load()
		writer(t, l, "w")
		if asked.Load() == before {
			t.Errorf("K28 %s: a new connection did not ask for the password again", mechanism)
		}
		password.Store("wrong")
		_, err := Open(within(t, 3*time.Minute), cfg)
		same(t, pipeline.CodeOf(err), codeUnreachable) // the fake hangs up; Kafka says why: see TestDenied
		if strings.Contains(err.Error(), "wrong") {
			t.Errorf("X14 the password is in %q", err)
		}
	}
	t.Run("X02 a listener that wants SASL", func(t *testing.T) {
		_, err := Open(within(t, 3*time.Minute), config(c))
		if code := pipeline.CodeOf(err); code != codeAuth && code != codeTLS {
			t.Errorf("got %v", err)
		}
	})
	t.Run("X02 a mechanism that is not offered", func(t *testing.T) {
		cfg := config(c)
		cfg.SASL = &SASL{Mechanism: "oauthbearer", Token: func(context.Context) (string, error) { return "canary", nil }}
		_, err := Open(within(t, 3*time.Minute), cfg)
		same(t, pipeline.CodeOf(err), codeAuth)
		if !strings.Contains(err.Error(), "do not offer OAUTHBEARER") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("X14 a secret that cannot be read", func(t *testing.T) {
		cfg := config(c)
		cfg.SASL = &SASL{Mechanism: "scram-sha-512", Credentials: func(context.Context) (string, string, error) { return "", "", errors.New("no such file") }}
		_, err := Open(within(t, 3*time.Minute), cfg)
		same(t, pipeline.CodeOf(err), codeAuth)
	})
	cfg := config(c)
	cfg.SASL = &SASL{Mechanism: "digest"}
	_, err := Open(t.Context(), cfg)
	same(t, pipeline.CodeOf(err), codeConfig)
	_, err = Open(t.Context(), Config{Brokers: []string{"127.0.0.1:1"}, Deployment: "test", RetryFor: 100 * time.Millisecond})
	same(t, pipeline.CodeOf(err), codeUnreachable)
}

func TestDenied(t *testing.T) {
	cfg := Config{Brokers: []string{"b:1"}, SASL: &SASL{Mechanism: "plain"}}
	for err, mend := range map[error]string{
		kerr.SaslAuthenticationFailed: "correct kafka.sasl",
		kerr.UnsupportedSaslMechanism: "sasl: {mechanism: NAME}   # one of sasl.enabled.mechanisms of the listener that kafka.brokers names",
	} {
		got := cfg.unreachable(err)
		same(t, pipeline.CodeOf(got), codeAuth)
		if !strings.HasSuffix(got.Error(), "\n  mend: "+mend) {
			t.Errorf("got %v", got)
		}
	}
	cfg.SASL = nil
	cfg.Deployment, cfg.Prefixes = "shop", []string{"it's."}
	const acls = "kafka-acls.sh --bootstrap-server b:1 --add --allow-principal 'User:ANONYMOUS' --operation "
	for _, c := range []struct {
		err             error
		operation, name string
		mend            string
	}{
		{kerr.TopicAuthorizationFailed, "Describe", "__evert.shop.frontier.a", "Read --topic '__evert.shop.' --resource-pattern-type prefixed"},
		{kerr.TopicAuthorizationFailed, "Create", "it's.public.t", `Create --topic 'it'\''s.' --resource-pattern-type prefixed`},
		{kerr.TopicAuthorizationFailed, "Write", "of.somebody", "Write --topic 'of.somebody'"},
		{kerr.GroupAuthorizationFailed, "Read", "shop.g", "Read --group 'shop.' --resource-pattern-type prefixed"},
		{kerr.TransactionalIDAuthorizationFailed, "Write", "shop.w", "Write --transactional-id 'shop.' --resource-pattern-type prefixed"},
		{kerr.ClusterAuthorizationFailed, "DescribeConfigs", "", "DescribeConfigs --cluster"},
	} {
		got := cfg.denied(c.operation, c.err, c.name)
		same(t, pipeline.CodeOf(got), codeDenied)
		if first, _, _ := strings.Cut(got.(*pipeline.Refusal).Mend, "\n"); first != acls+c.mend {
			t.Errorf("got %s", first)
		}
	}
}

// X02: a server cannot talk a client into a proof that is cheap to guess from.
func TestScramIterations(t *testing.T) {
	s := &SASL{Mechanism: "scram-sha-256", Credentials: func(context.Context) (string, string, error) { return "evert", "canary", nil }}
	for iterations, ok := range map[int]bool{4095: false, 1: false, 4096: true} {
		m, err := s.mechanism()
		if err != nil {
			t.Fatal(err)
		}
		session, first, err := m.Authenticate(t.Context(), "b:9092")
		if err != nil {
			t.Fatal(err)
		}
		_, nonce, _ := strings.Cut(string(first), "r=")
		_, _, err = session.Challenge(fmt.Appendf(nil, "r=%sserver,s=%s,i=%d", nonce, base64.StdEncoding.EncodeToString([]byte("salt")), iterations))
		if (err == nil) != ok || !ok && (pipeline.CodeOf(err) != codeAuth || !strings.Contains(err.Error(), "fewer than 4096")) {
			t.Errorf("%d iterations: %v", iterations, err)
		}
	}
}

// issuer is a token endpoint.
type issuer struct {
	*httptest.Server
	mu     sync.Mutex
	issued int
	life   int
	broken string // what it answers instead
	form   url.Values
	secret string
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{life: 3600, secret: "s3cret/canary"}
	i.Server = httptest.NewTLSServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	_ = r.ParseForm()
	i.form = r.PostForm
	switch want := url.QueryEscape(i.secret); {
	case i.broken != "":
		fmt.Fprint(w, i.broken)
	case id != "evert" || secret != want:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error": "invalid_client", "error_description": "secret %s is wrong"}`, secret)
	default:
		i.issued++
		fmt.Fprintf(w, `{"access_token": "token-%d", "token_type": "bearer", "expires_in": %d}`, i.issued, i.life)
	}
}

func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

// TestTokenEndpoint tells how tokens are asked for, kept, renewed, and missed.
func TestTokenEndpoint(t *testing.T) {
	i := newIssuer(t)
	now, secret := time.Unix(1e9, 0), i.secret
	e := &TokenEndpoint{URL: i.URL + "/token", ClientID: "evert", Scope: "kafka", Client: i.Client(),
		Secret: func() (string, error) { return secret, nil }, Now: func() time.Time { return now }}
	get := func() string {
		t.Helper()
		token, err := e.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	same(t, get(), "token-1")
	same(t, i.form.Encode(), "grant_type=client_credentials&scope=kafka")
	now = now.Add(47 * time.Minute)
	same(t, get(), "token-1")
	now = now.Add(2 * time.Minute) // four fifths of an hour are 48
	same(t, get(), "token-2")
	now = now.Add(time.Hour)
	i.set(func() { i.secret = "rotated" })
	secret = "rotated" // K28: it is read anew
	same(t, get(), "token-3")

	now, secret = now.Add(time.Hour), "wr0ng"
	refuses := func(name, says string) {
		t.Helper()
		_, err := e.Token(t.Context())
		if pipeline.CodeOf(err) != codeToken || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", name, err, says)
		}
		if strings.Contains(err.Error(), "wr0ng") || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "/token") {
			t.Errorf("X14 %s: a secret is in %v", name, err)
		}
	}
	refuses("wrong secret", "HTTP 401 invalid_client")
	i.set(func() { i.broken = "<html>canary</html>" })
	refuses("no token", "no access_token")
	i.Server.Close()
	refuses("nobody there", "refused")
}

// A token in a file is read anew, and told when it has expired.
func TestStaticToken(t *testing.T) {
	jwt := func(exp int64) string {
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":"evert","exp":%d}`, exp)) + ".canary"
	}
	for token, ok := range map[string]bool{
		jwt(time.Now().Add(time.Hour).Unix()): true, jwt(time.Now().Add(-time.Hour).Unix()): false, jwt(0): true, "opaque": true, "a.b.c": true,
	} {
		got, err := StaticToken(func() (string, error) { return token, nil })(t.Context())
		if (err == nil) != ok || ok && got != token || !ok && (pipeline.CodeOf(err) != codeToken || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v", token, err)
		}
	}
}

// gate is a fake cluster's door for a mechanism that the fake does not know: it
// notes what it is shown, and answers.
type gate struct {
	mu     sync.Mutex
	shown  [][]byte
	answer []byte
	life   time.Duration
	more   chan struct{} // for each that is shown
}

func newGate(c *kfake.Cluster) *gate {
	g := &gate{more: make(chan struct{}, 100)}
	c.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return r.ResponseKind(), nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return g.authenticate(r.(*kmsg.SASLAuthenticateRequest)), nil, true
	})
	return g
}

func (g *gate) authenticate(r *kmsg.SASLAuthenticateRequest) kmsg.Response {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shown = append(g.shown, r.SASLAuthBytes)
	g.more <- struct{}{}
	resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	resp.SASLAuthBytes, resp.SessionLifetimeMillis = g.answer, g.life.Milliseconds()
	return resp
}

func (g *gate) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return string(g.shown[len(g.shown)-1])
}

// X02 OAUTH token expiry: within the session's life the client authenticates
// again on the same connection, with a token that is fetched when the old one
// nears its end (KIP-368).
func TestBearer(t *testing.T) {
	c := cluster(t)
	g, i := newGate(c), newIssuer(t)
	g.life, i.life = 1500*time.Millisecond, 1
	e := &TokenEndpoint{URL: i.URL, ClientID: "evert", Client: i.Client(), Secret: func() (string, error) { return i.secret, nil }}
	cfg := config(c)
	cfg.SASL = &SASL{Mechanism: "oauthbearer", Token: e.Token, Extensions: map[string]string{"logicalCluster": "lkc-1"}}
	l := open(t, cfg)
	same(t, strings.HasPrefix(g.last(), "n,,\x01auth=Bearer token-1\x01logicalCluster=lkc-1\x01\x01"), true)
	ctx := within(t, 3*time.Minute)
	for !strings.Contains(g.last(), "token-3") { // each request past the session's life shows another one
		if _, err := l.Admin().Topics(ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case <-g.more:
		case <-time.After(50 * time.Millisecond): // the period of asking
		}
	}
	g.mu.Lock()
	g.answer = []byte(`{"status": "invalid_token", "scope": "x"}`)
	g.mu.Unlock()
	_, err := Open(within(t, 3*time.Minute), cfg)
	same(t, pipeline.CodeOf(err), codeAuth)
	if !strings.Contains(err.Error(), `does not take the token ("invalid_token")`) || strings.Contains(err.Error(), "token-") {
		t.Errorf("got %v", err)
	}
}

// sign is AWS's signature version 4, as its documentation writes it.
func sign(secret, date, region, service, toSign string) string {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	key := mac(mac(mac(mac([]byte("AWS4"+secret), date), region), service), "aws4_request")
	return hex.EncodeToString(mac(key, toSign))
}

func toSign(stamp, scope, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
}

// AWS_MSK_IAM exists as a cloud service alone. What would be sent to it is
// compared with a signature made by the other implementation above, which has to
// give the signatures that AWS publishes.
func TestSignature(t *testing.T) {
	t.Run("published vectors", func(t *testing.T) {
		// IAM's ListUsers, "Create a signed AWS API request"
		same(t, sign("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam",
			"AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\nf536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"),
			"5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
		// a presigned URL of S3, "Authenticating Requests: Using Query Parameters"
		same(t, sign("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3", toSign("20130524T000000Z", "20130524/us-east-1/s3/aws4_request",
			"GET\n/test.txt\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\nhost:examplebucket.s3.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD")),
			"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
	})
	for _, c := range []struct{ host, region, env, session string }{
		{"b-1.shop.abc.c2.kafka.eu-central-1.amazonaws.com:9098", "eu-central-1", "", ""},
		{"b-1.shop.abc.c2.kafka.us-east-1.amazonaws.com:9098", "us-east-1", "eu-west-1", "a+session/token="},
		{"127.0.0.1:9098", "eu-west-1", "eu-west-1", ""},
	} {
		t.Run(c.host, func(t *testing.T) {
			t.Setenv("AWS_REGION", c.env)
			keys := AWSKeys{AccessKey: "AKIDEXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: c.session}
			s := &SASL{Mechanism: "aws_msk_iam", Keys: func(context.Context) (AWSKeys, error) { return keys, nil }}
			m, err := s.mechanism()
			if err != nil {
				t.Fatal(err)
			}
			same(t, m.Name(), "AWS_MSK_IAM")
			_, first, err := m.Authenticate(t.Context(), c.host)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, first, strings.TrimSuffix(c.host, ":9098"), c.region, keys)
		})
	}
}

// verify does what the service does: it makes the request out of what it was
// sent, and signs it with the secret key that it knows.
func verify(t *testing.T, payload []byte, host, region string, keys AWSKeys) {
	t.Helper()
	var got map[string]string
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(payload), keys.SecretKey) {
		t.Error("X14 the secret key is sent")
	}
	same(t, got["version"]+" "+got["host"]+" "+got["action"], "2020_10_22 "+host+" kafka-cluster:Connect")
	same(t, got["x-amz-security-token"], keys.SessionToken)
	stamp := got["x-amz-date"]
	scope := stamp[:8] + "/" + region + "/kafka-cluster/aws4_request"
	same(t, got["x-amz-credential"], keys.AccessKey+"/"+scope)
	query := url.Values{}
	for name, key := range map[string]string{"Action": "action", "X-Amz-Algorithm": "x-amz-algorithm", "X-Amz-Credential": "x-amz-credential",
		"X-Amz-Date": "x-amz-date", "X-Amz-Expires": "x-amz-expires", "X-Amz-Security-Token": "x-amz-security-token", "X-Amz-SignedHeaders": "x-amz-signedheaders"} {
		if got[key] != "" {
			query.Set(name, got[key])
		}
	}
	empty := sha256.Sum256(nil)
	canonical := "GET\n/\n" + query.Encode() + "\nhost:" + host + "\n\nhost\n" + hex.EncodeToString(empty[:])
	same(t, got["x-amz-signature"], sign(keys.SecretKey, stamp[:8], region, "kafka-cluster", toSign(stamp, scope, canonical)))
}
