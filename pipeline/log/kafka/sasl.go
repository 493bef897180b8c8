package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// SASL says how to authenticate. What gives secrets is called at each
// authentication, so that one that was exchanged is read anew (K28); brokers
// that bound a session make the client authenticate again within it (KIP-368).
type SASL struct {
	Mechanism string // plain, scram-sha-256, scram-sha-512, oauthbearer, aws_msk_iam

	// Credentials give user and password, of plain and scram. A server that
	// wants fewer than 4096 iterations of scram is refused (X02).
	Credentials func(ctx context.Context) (user, password string, err error)

	// Token gives the bearer token of oauthbearer, and Extensions go with it.
	Token      func(ctx context.Context) (string, error)
	Extensions map[string]string

	// Keys give what aws_msk_iam signs with. The region is that of the broker's
	// name, else AWS_REGION.
	Keys func(ctx context.Context) (AWSKeys, error)
}

// AWSKeys are credentials of AWS; SessionToken is empty for those that last.
type AWSKeys struct{ AccessKey, SecretKey, SessionToken string }

// mechanisms are those that Evert speaks, by their names in the file.
func (s *SASL) mechanisms() map[string]sasl.Mechanism {
	password := func(ctx context.Context) (scram.Auth, error) {
		user, password, err := s.Credentials(ctx)
		return scram.Auth{User: user, Pass: password}, err
	}
	return map[string]sasl.Mechanism{
		"plain": plain.Plain(func(ctx context.Context) (plain.Auth, error) {
			user, password, err := s.Credentials(ctx)
			return plain.Auth{User: user, Pass: password}, err
		}),
		"scram-sha-256": scram.Sha256(password),
		"scram-sha-512": scram.Sha512(password),
		"oauthbearer": bearer{oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := s.Token(ctx)
			return oauth.Auth{Token: token, Extensions: s.Extensions}, err
		})},
		"aws_msk_iam": aws.ManagedStreamingIAM(func(ctx context.Context) (aws.Auth, error) {
			k, err := s.Keys(ctx)
			return aws.Auth{AccessKey: k.AccessKey, SecretKey: k.SecretKey, SessionToken: k.SessionToken, UserAgent: software + "/" + softwareVersion}, err
		}),
	}
}

func (s *SASL) mechanism() (sasl.Mechanism, error) {
	all := s.mechanisms()
	if m, ok := all[s.Mechanism]; ok {
		return telling{m}, nil
	}
	return nil, &pipeline.Refusal{
		Code: codeConfig, Where: "kafka.sasl.mechanism", What: "no such mechanism: " + s.Mechanism,
		Mend: "mechanism: " + strings.Join(slices.Sorted(maps.Keys(all)), ", or "),
	}
}

// telling makes refusals of a mechanism's errors: they end an attempt to
// connect, and a person has to read them.
type telling struct{ sasl.Mechanism }

func (m telling) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	s, first, err := m.Mechanism.Authenticate(ctx, host)
	switch {
	case pipeline.CodeOf(err) != "":
		return nil, nil, err
	case err != nil:
		return nil, nil, &pipeline.Refusal{Code: codeAuth, Where: "kafka.sasl", What: "there are no credentials for " + m.Name(), Err: err,
			Mend: "see that the file or variable that kafka.sasl names holds them, and can be read"}
	}
	return tellingSession{s, m.Name()}, first, nil
}

type tellingSession struct {
	sasl.Session
	mechanism string
}

func (s tellingSession) Challenge(answer []byte) (bool, []byte, error) {
	done, next, err := s.Session.Challenge(answer)
	if err == nil || pipeline.CodeOf(err) != "" {
		return done, next, err
	}
	what := "the broker's answer is not one of " + s.mechanism
	if strings.Contains(err.Error(), "iterations") { // the server's number, which is no secret
		what = "the broker wants a password hashed with fewer than 4096 iterations, which an eavesdropper could undo: " + err.Error()
	}
	return done, next, &pipeline.Refusal{Code: codeAuth, Where: "kafka.sasl", What: what,
		Mend: "set the user's password anew on the cluster, with at least 4096 iterations; or see that kafka.brokers names the right one"}
}

// bearer reads what a broker answers to a token that it does not take: RFC 7628
// §3.2.2 has it send a status, which the client has to acknowledge.
type bearer struct{ sasl.Mechanism }

func (b bearer) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	s, first, err := b.Mechanism.Authenticate(ctx, host)
	return bearerSession{s}, first, err
}

type bearerSession struct{ sasl.Session }

func (s bearerSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) == 0 {
		return s.Session.Challenge(answer)
	}
	var said struct{ Status string }
	_ = json.Unmarshal(answer, &said) // what is no JSON has no status
	return false, nil, &pipeline.Refusal{
		Code: codeAuth, Where: "kafka.sasl", What: fmt.Sprintf("the broker does not take the token (%q)", said.Status),
		Mend: "see that the token is of the issuer, audience and scope that the broker wants, and has not expired",
	}
}

// unauthenticated says why the cluster does not let this client in; nil if err
// is something else. The broker's own words are in err.
func (c *Config) unauthenticated(err error) error {
	r := &pipeline.Refusal{Code: codeAuth, Where: c.seeds(), Err: err}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		r.What, r.Mend = "the cluster does not know this user, or not with this secret", "correct kafka.sasl"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		r.What = "the brokers do not offer " + strings.ToUpper(c.SASL.Mechanism)
		r.Mend = "sasl: {mechanism: NAME}   # one of sasl.enabled.mechanisms of the listener that kafka.brokers names"
	case errors.Is(err, kerr.IllegalSaslState):
		r.What, r.Mend = "the listener wants no SASL, or another kind of it", "remove kafka.sasl, or name a listener with SASL in kafka.brokers"
	default:
		return nil
	}
	return r
}
