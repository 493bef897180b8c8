package storage

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// OpenKafka opens the log on the cluster of the file; told.Retrying is its own.
func OpenKafka(ctx context.Context, c *configs.Config, readOnly bool, logger *slog.Logger, told kafka.Events) (*Log, error) {
	config, err := KafkaConfig(c)
	if err != nil {
		return nil, err
	}
	config.Logger, config.Events = logger, told
	config.Events.Retrying = func(where string, cause error) {
		logger.Warn("a request to the cluster failed and is repeated", "where", where, "error", cause)
	}
	l, err := kafka.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	info := l.Info()
	logger.Info("connected to the cluster", "cluster", info.ClusterID, "brokers", info.Brokers, "version", info.Version, "transaction_version", info.TransactionVersion)
	if !info.ExactlyOnce() { // I2
		logger.Warn("the cluster lacks transaction.version 2: a late end of a transaction is not fenced, so that in rare faults a foreign reader could see a record twice; Evert's own readers drop it by its position")
	}
	t := &Log{Log: l, Closer: l, Groups: l, Kafka: l, Kind: "kafka", place: strings.Join(c.Kafka.Brokers, ","), Cluster: clusterStatus(info)}
	if readOnly {
		return t, nil
	}
	return t, t.index(datadir.FillPath(c.DataDir), int64(c.Limits.FillCacheBytes))
}

func clusterStatus(i kafka.Info) *monitor.ClusterStatus {
	return &monitor.ClusterStatus{ID: i.ClusterID, Version: i.Version, Brokers: i.Brokers, TransactionVersion: int(i.TransactionVersion)}
}

// KafkaConfig says the section kafka in the log's own words.
func KafkaConfig(c *configs.Config) (kafka.Config, error) {
	k := c.Kafka
	config := kafka.Config{
		Brokers: k.Brokers, Deployment: c.Name, TransactionTimeout: k.TransactionTimeout, SessionTimeout: k.SessionTimeout, Insecure: k.Insecure,
		Topics: kafka.Topics{Manage: manage(k.Topics.Manage), ReplicationFactor: int16(k.Topics.ReplicationFactor), Settings: k.Topics.Config},
		Limits: kafka.Limits{ReadBytes: int(c.Limits.FetchBytes), WriteBytes: int(c.Limits.WriteBytes)},
	}
	for _, name := range c.SourceNames() {
		config.Prefixes = append(config.Prefixes, c.Sources[name].TopicPrefix+".")
	}
	if len(c.Views) > 0 {
		config.Prefixes = append(config.Prefixes, c.Name+".views.")
	}
	if len(c.Sinks) > 0 {
		config.Prefixes = append(config.Prefixes, c.Name+".sinks.")
	}
	if first, err := clientTLS("kafka.tls", k.TLS); err != nil {
		return config, err // files that are wrong at the start are told at once
	} else if first != nil {
		config.TLS = func() (*tls.Config, error) { return clientTLS("kafka.tls", k.TLS) }
	}
	var err error
	if k.SASL != nil {
		config.SASL, err = authentication(k.SASL)
	}
	return config, err
}

func manage(word string) kafka.Manage {
	switch word {
	case "verify":
		return kafka.Verify
	case "never":
		return kafka.Never
	}
	return kafka.Create
}

// authentication gives what proves who we are. Every secret is read when it is
// needed, and again at each connection (K28).
func authentication(s *configs.SASL) (*kafka.SASL, error) {
	out := &kafka.SASL{Mechanism: s.Mechanism, Extensions: s.Extensions, Token: kafka.StaticToken(s.Token.Reveal)}
	out.Credentials = func(context.Context) (string, string, error) {
		password, err := s.Password.Reveal()
		return s.Username, password, err
	}
	out.Keys = func(context.Context) (kafka.AWSKeys, error) {
		access, err1 := s.AccessKey.Reveal()
		secret, err2 := s.SecretKey.Reveal()
		session, err3 := s.SessionToken.Reveal()
		return kafka.AWSKeys{AccessKey: access, SecretKey: secret, SessionToken: session}, errors.Join(err1, err2, err3)
	}
	if s.Region != "" { // the signer has no other way to be told
		if err := os.Setenv("AWS_REGION", s.Region); err != nil {
			return nil, err
		}
	}
	if s.TokenURL.IsZero() {
		return out, nil
	}
	endpoint, err := tokenEndpoint(s)
	if err != nil {
		return nil, err
	}
	out.Token = endpoint.Token
	return out, nil
}

// tokenEndpoint is where oauthbearer gets its tokens. It follows no redirects:
// the client's secret goes to the address in the file, and nowhere else (X09).
func tokenEndpoint(s *configs.SASL) (*kafka.TokenEndpoint, error) {
	url, err := s.TokenURL.Reveal()
	if err != nil {
		return nil, err
	}
	secure, err := clientTLS("kafka.sasl.token_ca", &configs.TLS{Mode: configs.TLSVerifyFull, CA: s.TokenCA})
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = secure
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &kafka.TokenEndpoint{URL: url, ClientID: s.ClientID, Secret: s.ClientSecret.Reveal, Scope: s.Scope, Client: client}, nil
}
