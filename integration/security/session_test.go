//go:build unix

package security

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/log/kafka/certtest"
)

func serverTLS(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }

// X02 OAUTH token expiry: a broker that ends sessions after two seconds is
// written to all the time, over connections that authenticate again with new tokens
// (KIP-368), and a secret that is wrong by then ends it (K28).
func TestSessions(t *testing.T) {
	t.Parallel()
	b := theBroker(t)
	trust := func() (*tls.Config, error) { return &tls.Config{RootCAs: b.ours.Pool()}, nil }
	var asked atomic.Int64
	var secret atomic.Value
	secret.Store(password)
	for name, s := range map[string]*kafka.SASL{
		"scram": {Mechanism: "scram-sha-512", Credentials: func(context.Context) (string, string, error) {
			asked.Add(1)
			return "evert", secret.Load().(string), nil
		}},
		"oauth": {Mechanism: "oauthbearer", Token: func(context.Context) (string, error) {
			asked.Add(1)
			return b.signs.token(claims(time.Minute)), nil // the broker ends sessions sooner
		}},
	} {
		t.Run("X02 "+name, func(t *testing.T) {
			asked.Store(0)
			l, err := kafka.Open(t.Context(), kafka.Config{Brokers: b.Addresses("SHORT"), Deployment: name, TLS: trust, SASL: s, Topics: kafka.Topics{ReplicationFactor: 1}})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			w := b.writer(t, l, name)
			opened := asked.Load()
			harness.Until(t, "the connections have authenticated twice more", func() bool {
				put(t, w, name)
				return asked.Load() >= opened+2
			})
		})
	}
	t.Run("K28 a secret that is wrong by now", func(t *testing.T) {
		s := &kafka.SASL{Mechanism: "scram-sha-512", Credentials: func(context.Context) (string, string, error) { return "evert", secret.Load().(string), nil }}
		l, err := kafka.Open(t.Context(), kafka.Config{Brokers: b.Addresses("SHORT"), Deployment: "changed", TLS: trust, SASL: s, Topics: kafka.Topics{ReplicationFactor: 1}, RetryFor: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		w := b.writer(t, l, "changed")
		put(t, w, "changed")
		secret.Store(canary)
		if _, err := l.Writer(t.Context(), "other"); pipeline.CodeOf(err) != "KAFKA_AUTH" {
			t.Errorf("got %v", err)
		}
		secret.Store(password)
		harness.Until(t, "the right secret opens a connection", opens(t, l, "other"))
	})
}

// writer makes a topic and a writer. The first of a cluster waits until that has made a
// coordinator of transactions, which may take longer than the log tries.
func (b *broker) writer(t *testing.T, l log.Log, topic string) (w log.Writer) {
	t.Helper()
	harness.Until(t, "topic "+topic, func() bool {
		_, err := l.Admin().Ensure(t.Context(), log.TopicSpec{Name: topic, Compact: true})
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	harness.Until(t, "a writer", func() bool {
		var err error
		if w, err = l.Writer(t.Context(), "w"); err != nil {
			t.Log(err)
		}
		return err == nil
	})
	t.Cleanup(func() { w.Close() })
	return w
}

func put(t *testing.T, w log.Writer, topic string) {
	t.Helper()
	err := w.Append(t.Context(), log.Record{TopicPartition: log.TopicPartition{Topic: topic}, Key: []byte("k"), Value: []byte("v")})
	if err == nil {
		err = w.Commit(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// K28: a client's certificate that ends while a log is open keeps no new
// connection, and the one that replaces its file does.
func TestShortLivedCertificate(t *testing.T) {
	t.Parallel()
	b, dir := theBroker(t), t.TempDir()
	write := func(end time.Time) {
		b.ours.Issue(t, certtest.Leaf{Name: "evert", End: end}).Files(t, dir, "client")
	}
	write(time.Now().Add(time.Hour))
	l, err := kafka.Open(t.Context(), kafka.Config{Brokers: b.Addresses("MUTUAL"), Deployment: "short", RetryFor: 2 * time.Second,
		TLS: func() (*tls.Config, error) {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.crt"), filepath.Join(dir, "client.key"))
			return &tls.Config{RootCAs: b.ours.Pool(), Certificates: []tls.Certificate{pair}}, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := b.writer(t, l, "short")
	put(t, w, "short")
	write(time.Now().Add(-2 * time.Second)) // what is in the file is over
	if _, err := l.Writer(t.Context(), "late"); err == nil {
		t.Error("an expired certificate opened a connection")
	}
	put(t, w, "short") // a connection that stands, stands
	write(time.Now().Add(time.Hour))
	harness.Until(t, "the new certificate opens a connection", opens(t, l, "late"))
}

// opens reports whether a writer can be had. A broker that is busy may need longer
// than the log tries.
func opens(t *testing.T, l log.Log, id string) func() bool {
	return func() bool {
		_, err := l.Writer(t.Context(), id)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	}
}
