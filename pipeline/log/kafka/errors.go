package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	codeStuck       pipeline.Code = "KAFKA_TRANSACTION_STUCK"
	codeHidden      pipeline.Code = "KAFKA_COMMIT_HIDDEN"
	codeUndecided   pipeline.Code = "KAFKA_COMMIT_UNDECIDED"
	codeTruncated   pipeline.Code = "TOPIC_TRUNCATED"

	codeTransactionVersion pipeline.Code = "KAFKA_TRANSACTION_VERSION"
	codeReplication        pipeline.Code = "KAFKA_REPLICATION"
	codeUnclean            pipeline.Code = "KAFKA_UNCLEAN_ELECTION"
	codeClock              pipeline.Code = "KAFKA_CLOCK"
)

// Refuses reports whether a code says that the cluster itself cannot be reached or
// refuses us.
func Refuses(code pipeline.Code) bool {
	return slices.Contains([]pipeline.Code{codeUnreachable, codeDenied, codeTLS, codeAuth, codeToken, codeTimeout, codeNeeded}, code)
}

// unreachable says why the cluster could not be asked at all.
func (c *Config) unreachable(err error) error {
	if err := c.denied("Describe", err); pipeline.CodeOf(err) != "" {
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

// User is who the cluster takes us for. Who a certificate stands for, only the
// cluster knows.
func (c *Config) User() string {
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
