package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
)

// The refusals of this package.
const (
	codeConfig      pipeline.Code = "KAFKA_CONFIG"
	codeUnreachable pipeline.Code = "KAFKA_UNREACHABLE"
	codeDenied      pipeline.Code = "KAFKA_DENIED"
	codeTLS         pipeline.Code = "KAFKA_TLS"
	codeAuth        pipeline.Code = "KAFKA_AUTH"
	codeToken       pipeline.Code = "KAFKA_TOKEN"
	codeNeeded      pipeline.Code = "TOPIC_SETTING_REFUSED"
	codeLeftOut     pipeline.Code = "TOPIC_SETTING_LEFT_OUT"
	codeDiffers     pipeline.Code = "TOPIC_SETTING_DIFFERS"
	codeTimeout     pipeline.Code = "KAFKA_TRANSACTION_TIMEOUT"
	codeTruncated   pipeline.Code = "TOPIC_TRUNCATED"
)

// unreachable says why the cluster could not be asked at all.
func (c *Config) unreachable(err error) error {
	if err := c.denied("", err); pipeline.CodeOf(err) != "" {
		return err
	}
	if r := c.unanswered(err); r != nil {
		return r
	}
	return &pipeline.Refusal{
		Code: codeUnreachable, Where: c.seeds(), What: "the Kafka cluster does not answer", Err: err,
		Mend: "start the brokers, or correct kafka.brokers, kafka.tls and kafka.sasl",
	}
}

func (c *Config) seeds() string { return strings.Join(c.Brokers, ",") }

// shut is the refusal of a door that stayed shut: TLS that is not trusted, or an
// authentication that failed; nil if err is neither.
func (c *Config) shut(err error) error {
	if r, ok := errors.AsType[*pipeline.Refusal](err); ok {
		return r
	}
	return c.unauthenticated(err)
}

func isDenied(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) ||
		errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
}

// rights maps the cluster's answer to what the user lacks, as kafka-acls names
// it.
func rights(err error) string {
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return "--operation Describe --operation Read --operation Write --operation Create --operation DescribeConfigs --topic"
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return "--operation Describe --operation Read --group"
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return "--operation Describe --operation Write --transactional-id"
	}
	return ""
}

// denied makes a refusal of an answer for want of rights, and leaves other
// errors as they are.
func (c *Config) denied(where string, err error) error {
	if r := c.shut(err); r != nil {
		return r
	}
	if !isDenied(err) {
		return err
	}
	r := &pipeline.Refusal{Code: codeDenied, Where: where, What: "the cluster refuses this user", Err: err, Mend: "correct kafka.sasl"}
	if ops := rights(err); ops != "" {
		r.Mend = "kafka-acls.sh --bootstrap-server " + c.Brokers[0] + " --add --allow-principal 'User:" + c.user() + "' " + ops + " '" + where + "'"
	}
	return r
}

// deniedAll is denied, for topics of which it is not known which one.
func (c *Config) deniedAll(topics []string, err error) error {
	var r *pipeline.Refusal
	if err = c.denied(topics[0], err); errors.As(err, &r) {
		r.Where = strings.Join(topics, ", ")
		r.Mend = strings.Replace(r.Mend, "'"+topics[0]+"'", "'"+strings.Join(topics, "' --topic '")+"'", 1)
	}
	return err
}

// deniedDelete is denied, for the one operation that is not needed every day.
func (c *Config) deniedDelete(topic string, err error) error {
	var r *pipeline.Refusal
	if err = c.denied(topic, err); errors.As(err, &r) {
		r.Mend = strings.Replace(r.Mend, "--operation Describe ", "--operation Delete --operation Describe ", 1)
	}
	return err
}

// user is who the cluster takes us for. Who a certificate stands for, only the
// cluster knows.
func (c *Config) user() string {
	switch {
	case c.SASL != nil && c.SASL.Credentials != nil:
		if user, _, err := c.SASL.Credentials(context.Background()); err == nil {
			return user
		}
	case c.TLS == nil:
		return "ANONYMOUS"
	}
	return "USER"
}

// isEnded reports whether err says that somebody else ended the producer's
// transaction: a newer writer, whose epoch is higher, or the cluster when the
// transaction timed out. The same codes mean both.
func isEnded(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.TransactionCoordinatorFenced) || errors.Is(err, kerr.InvalidTxnState)
}

// isStale reports whether err says that a member's generation is over.
func isStale(err error) bool {
	return errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.UnknownMemberID) ||
		errors.Is(err, kerr.FencedInstanceID) || errors.Is(err, kerr.StaleMemberEpoch) ||
		errors.Is(err, kerr.GroupIDNotFound) || errors.Is(err, kerr.RebalanceInProgress)
}

func noTopic(tp log.TopicPartition) error { return fmt.Errorf("%s: %w", tp, log.ErrNoTopic) }

// errNoOffset is an acknowledgement that does not say where the record lies. The
// client takes DUPLICATE_SEQUENCE_NUMBER for a success: the record may be there,
// but the next offset, which cuts are made of, is unknown.
var errNoOffset = errors.New("the broker acknowledged a record without its offset")
