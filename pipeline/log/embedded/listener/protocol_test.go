package listener_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded/listener"
)

// TestEveryVersion asks everything that ApiVersions lists, in every version.
func TestEveryVersion(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{})
	b.topic("t")
	for _, v := range []int16{0, 3, 4} {
		r := kmsg.NewPtrApiVersionsRequest()
		r.Version = v
		for _, k := range ask[*kmsg.ApiVersionsResponse](b.dial(), r).ApiKeys {
			c := b.dial()
			for version := k.MinVersion; version <= k.MaxVersion; version++ {
				r := kmsg.RequestForKey(k.ApiKey)
				r.SetVersion(version)
				if p, ok := r.(*kmsg.ProduceRequest); ok {
					p.Acks = 1
				}
				if s, ok := r.(*kmsg.SASLHandshakeRequest); ok {
					s.Mechanism = "PLAIN"
				}
				ask[kmsg.Response](c, r)
				if _, ok := r.(*kmsg.SASLAuthenticateRequest); ok {
					c = b.dial() // a login without a handshake ends it
				}
			}
			c.Close()
		}
	}
}

func TestApiVersionsOfTheFuture(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{})
	c := b.dial()
	c.raw([]byte{0, 18, 0, 99, 0, 0, 0, 7, 1, 2, 3}) // whatever stands behind the correlation
	raw := c.receive()
	answer := kmsg.NewPtrApiVersionsResponse()
	if err := answer.ReadFrom(raw[4:]); err != nil || answer.ErrorCode != kerr.UnsupportedVersion.Code || len(answer.ApiKeys) != 1 || answer.ApiKeys[0].MaxVersion != 4 {
		t.Errorf("%v: %+v", err, answer)
	}
	ask[*kmsg.ApiVersionsResponse](&wire{Conn: c.Conn, t: t}, kmsg.NewPtrApiVersionsRequest())
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{Advertised: "log.example:9092"})
	b.topic("t")
	b.topic("__evert.shop.frontier.shop")
	request := func(version int16, names ...string) *kmsg.MetadataResponse {
		r := kmsg.NewPtrMetadataRequest()
		r.Version, r.AllowAutoTopicCreation = version, true
		if names != nil {
			r.Topics = []kmsg.MetadataRequestTopic{}
		}
		for _, name := range names {
			asked := kmsg.NewMetadataRequestTopic()
			asked.Topic = kmsg.StringPtr(name)
			r.Topics = append(r.Topics, asked)
		}
		return ask[*kmsg.MetadataResponse](b.dial(), r)
	}
	all := request(1)
	if len(all.Topics) != 2 || !all.Topics[0].IsInternal || all.Topics[1].IsInternal {
		t.Errorf("all topics: %+v", all.Topics)
	}
	if h := all.Brokers[0]; h.Host != "log.example" || h.Port != 9092 {
		t.Errorf("advertised: %+v", h)
	}
	if none := request(1, []string{}...); len(none.Topics) != 0 {
		t.Errorf("an empty list asks for none: %+v", none.Topics)
	}
	for name, code := range map[string]int16{"t": 0, "missing": 3, "not/valid": 17} {
		if got := request(13, name).Topics[0]; got.ErrorCode != code || *got.Topic != name {
			t.Errorf("%s: error %d, want %d", name, got.ErrorCode, code)
		}
	}
	if infos, err := b.log.Admin().Topics(b.ctx); err != nil || len(infos) != 2 {
		t.Errorf("asking made a topic: %v, %v", infos, err)
	}
	if id := b.topicID("t"); id == [16]byte{} {
		t.Error("a topic without an id")
	}
}

// TestRefusals is about what there is not, as an admin client and a producer
// meet it: each gets an error that it does not try again.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{})
	tp, w := b.topic("t"), b.writer("w")
	b.put(w, tp, 0, 3)
	admin := kadm.NewClient(b.client())
	wants := func(what string, err error, want *kerr.Error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err := admin.CreateTopic(b.ctx, 1, 1, nil, "new")
	wants("create", err, kerr.TopicAuthorizationFailed)
	deleted, err := admin.DeleteTopics(b.ctx, "t")
	b.must(err)
	wants("delete", deleted["t"].Err, kerr.TopicAuthorizationFailed)
	cut, err := admin.DeleteRecords(b.ctx, kadm.Offsets{"t": {0: {Topic: "t", At: 1}}})
	b.must(err)
	wants("delete records", cut["t"][0].Err, kerr.TopicAuthorizationFailed)
	changed, err := admin.AlterTopicConfigs(b.ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: kmsg.StringPtr("1")}}, "t")
	b.must(err)
	wants("settings", changed[0].Err, kerr.TopicAuthorizationFailed)
	grown, err := admin.CreatePartitions(b.ctx, 1, "t")
	b.must(err)
	wants("partitions", grown["t"].Err, kerr.TopicAuthorizationFailed)
	_, err = admin.FetchOffsets(b.ctx, "group")
	wants("offsets of a group", err, kerr.GroupAuthorizationFailed)
	wants("produce", b.client(kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck())).ProduceSync(b.ctx, &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(), kerr.TopicAuthorizationFailed)
	wants("produce idempotently", b.client().ProduceSync(b.ctx, &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(), kerr.ClusterAuthorizationFailed)
	fs := b.client(kgo.ConsumerGroup("group"), kgo.ConsumeTopics("t")).PollFetches(b.ctx)
	var asGroup *kgo.ErrGroupSession
	if !errors.As(fs.Err(), &asGroup) {
		t.Errorf("consume as a group: %v", fs.Err())
	}
	wants("consume as a group", fs.Err(), kerr.GroupAuthorizationFailed)
	groups, err := admin.ListGroups(b.ctx)
	if err != nil || len(groups) != 0 {
		t.Errorf("groups: %v, %v", groups, err)
	}
	configs, err := admin.DescribeTopicConfigs(b.ctx, "t")
	b.must(err)
	found := map[string]string{}
	for _, c := range configs[0].Configs {
		found[c.Key] = *c.Value
	}
	if found["cleanup.policy"] != "compact" || found["message.timestamp.type"] != "LogAppendTime" {
		t.Errorf("settings: %v", found)
	}
	if b.ends(tp).Stable != 3 {
		t.Error("something was written")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if said := strings.Join(b.told, "\n"); !strings.Contains(said, "no consumer groups") || !strings.Contains(said, "only read") {
		t.Errorf("told: %s", said)
	}
}

// TestClosed is about bytes after which a connection ends, and no other does.
func TestClosed(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{Limits: listener.Limits{RequestBytes: 1 << 20}})
	b.topic("t")
	head := func(key, version int16, rest ...byte) []byte {
		h := binary.BigEndian.AppendUint16(nil, uint16(key))
		h = binary.BigEndian.AppendUint16(h, uint16(version))
		return append(append(h, 0, 0, 0, 1), rest...)
	}
	for name, frame := range map[string][]byte{
		"X18 a kind that is unknown":        head(999, 0, 0, 0),
		"X18 a version that is unknown":     head(1, 99, 0, 0),
		"X18 a header cut short":            head(3, 1, 0, 9, 'x'),
		"X18 a body cut short":              head(3, 1, 0, 0, 0, 0),
		"X18 more topics than there are":    head(3, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff),
		"X18 four billion tags in a header": head(18, 4, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"X18 a frame without a header":      {1},
		"produce without acknowledgements":  head(0, 3, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			c := b.dial()
			c.raw(frame)
			if answer := c.receive(); answer != nil {
				t.Errorf("answered: % x", answer)
			}
		})
	}
	t.Run("X18 a request above the limit", func(t *testing.T) {
		c := b.dial()
		if _, err := c.Write([]byte{0x7f, 0xff, 0xff, 0xff, 0, 1}); err != nil {
			t.Fatal(err)
		}
		if answer := c.receive(); answer != nil {
			t.Errorf("answered: % x", answer)
		}
	})
	t.Run("X18 random bytes", func(t *testing.T) {
		junk := make([]byte, 4096)
		for range 50 {
			_, _ = rand.Read(junk)
			binary.BigEndian.PutUint32(junk, uint32(len(junk)-4))
			c := b.dial()
			_, _ = c.Write(junk)
			c.receive()
			c.Close()
		}
	})
	ask[*kmsg.MetadataResponse](b.dial(), kmsg.NewPtrMetadataRequest())
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	b := newLab(t, listener.Config{Limits: listener.Limits{Connections: 2}})
	first, second := b.dial(), b.dial()
	ask[*kmsg.MetadataResponse](first, kmsg.NewPtrMetadataRequest())
	ask[*kmsg.MetadataResponse](second, kmsg.NewPtrMetadataRequest())
	if third := b.dial(); third.receive() != nil {
		t.Error("a third connection was answered")
	}
	first.Close()
	for b.server.Stats().Connections > 1 {
		time.Sleep(time.Millisecond)
	}
	ask[*kmsg.MetadataResponse](b.dial(), kmsg.NewPtrMetadataRequest())
}

// TestSlowReaders lets more clients than there are slots ask for everything and
// take nothing: the sweep and the writer go on while they are there, they are cut off,
// and others are served again.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	t.Run("nobody waits for them", func(t *testing.T) {
		t.Parallel()
		b, tp, w := slowReaders(t, time.Hour)
		for b.server.Stats().Connections < 4 { // until all are let in
			time.Sleep(time.Millisecond)
		}
		b.put(w, tp, 0, 100)
		b.must(b.log.Admin().Compact(b.ctx, "t"))
		if n := b.server.Stats().Connections; n != 4 {
			t.Errorf("%d slow readers are left", n)
		}
	})
	t.Run("they are cut off", func(t *testing.T) {
		t.Parallel()
		b, tp, w := slowReaders(t, 300*time.Millisecond)
		b.put(w, tp, 0, 100)
		for b.server.Stats().Connections > 0 {
			time.Sleep(time.Millisecond)
		}
		b.compare(b.foreign(tp, 0, b.ends(tp).Stable), b.own(tp, b.ends(tp)))
	})
}

// slowReaders makes a log with four of them, whom the server lets be slow for a while.
func slowReaders(t *testing.T, send time.Duration) (*lab, log.TopicPartition, log.Writer) {
	t.Helper()
	b := newLab(t, listener.Config{Limits: listener.Limits{Fetches: 2, FetchBytes: 8 << 20, Send: send}})
	tp, w := b.topic("t"), b.writer("w")
	for i := range 8 {
		b.must(w.Append(b.ctx, log.Record{TopicPartition: tp, Key: []byte{byte(i)}, Value: make([]byte, 1<<20)}))
	}
	b.must(w.Commit(b.ctx, nil))
	for range 4 {
		c := b.dial()
		b.must(c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10))
		for range 4 {
			r := fetchRequest(11, tp, [16]byte{}, 0)
			r.MaxBytes, r.Topics[0].Partitions[0].PartitionMaxBytes = 8<<20, 8<<20
			c.send(r)
		}
	}
	return b, tp, w
}

func TestLogin(t *testing.T) {
	t.Parallel()
	token := "the token"
	var held atomic.Value
	held.Store(token)
	config := listener.Config{Token: func() (string, error) { return held.Load().(string), nil }}
	b := newLab(t, config)
	tp, w := b.topic("t"), b.writer("w")
	b.put(w, tp, 0, 5)
	login := func(password string) kgo.Opt { return kgo.SASL(plain.Auth{User: "any", Pass: password}.AsMechanism()) }
	b.compare(b.foreign(tp, 0, 5, login(token)), b.own(tp, b.ends(tp)))
	ping := func(opts ...kgo.Opt) error {
		ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		return b.client(append(opts, kgo.RequestRetries(0))...).Ping(ctx)
	}
	if err := ping(login("another")); err == nil || !strings.Contains(err.Error(), "SASL") {
		t.Errorf("another password: %v", err)
	}
	if err := ping(); err == nil {
		t.Error("no login was needed")
	}
	token = "rotated"
	held.Store(token)
	if err := ping(login(token)); err != nil {
		t.Errorf("a rotated token: %v", err)
	}
	t.Run("before a login requests are small", func(t *testing.T) {
		c := b.dial()
		if _, err := c.Write([]byte{0, 1, 0, 0}); err != nil {
			t.Fatal(err)
		}
		if c.receive() != nil {
			t.Error("64 KiB were accepted")
		}
	})
	t.Run("who does not log in is cut off", func(t *testing.T) {
		config.Limits.Login = 100 * time.Millisecond
		if newLab(t, config).dial().receive() != nil {
			t.Error("answered")
		}
	})
	t.Run("a login without a handshake", func(t *testing.T) {
		r := kmsg.NewPtrSASLAuthenticateRequest()
		r.SASLAuthBytes = []byte("\x00any\x00" + token)
		if a := ask[*kmsg.SASLAuthenticateResponse](b.dial(), r); a.ErrorCode != kerr.IllegalSaslState.Code {
			t.Errorf("%+v", a)
		}
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	b := newLab(t, listener.Config{})
	b.server.Stop(b.ctx)
	n, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	b.must(err)
	b.server, err = listener.Serve(n, listener.Config{Log: b.log, Cluster: "test"})
	b.must(err)
	t.Cleanup(func() { b.server.Stop(b.ctx) })
	tp, w := b.topic("t"), b.writer("w")
	b.put(w, tp, 0, 5)
	roots := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	b.must(err)
	roots.AddCert(cert)
	_, port, err := net.SplitHostPort(n.Addr().String())
	b.must(err)
	// The certificate is good for localhost alone: that is what is advertised.
	c := b.client(kgo.SeedBrokers("localhost:"+port), kgo.DialTLSConfig(&tls.Config{RootCAs: roots}), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().AtStart()}}))
	fs := c.PollFetches(b.ctx)
	b.must(fs.Err())
	if fs.NumRecords() != 5 {
		t.Errorf("%d records", fs.NumRecords())
	}
	plaintext := b.dial()
	plaintext.raw(make([]byte, 10))
	const alert = 21
	if answer, _ := io.ReadAll(plaintext); len(answer) > 0 && answer[0] != alert {
		t.Errorf("plaintext was answered: % x", answer)
	}
}
