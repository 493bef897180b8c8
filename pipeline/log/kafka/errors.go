package kafka

import (
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
	codeTimeout     pipeline.Code = "KAFKA_TRANSACTION_TIMEOUT"
	codeTruncated   pipeline.Code = "TOPIC_TRUNCATED"
)

func unreachable(brokers []string, err error) error {
	if isDenied(err) {
		return denied("", err)
	}
	return &pipeline.Refusal{
		Code: codeUnreachable, Where: strings.Join(brokers, ","), What: "the Kafka cluster does not answer", Err: err,
		Mend: "start the brokers, or correct kafka.brokers, kafka.tls and kafka.sasl",
	}
}

func isDenied(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) ||
		errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed) ||
		errors.Is(err, kerr.SaslAuthenticationFailed) || errors.Is(err, kerr.UnsupportedSaslMechanism)
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
func denied(where string, err error) error {
	if !isDenied(err) {
		return err
	}
	r := &pipeline.Refusal{Code: codeDenied, Where: where, What: "the cluster refuses this user", Err: err, Mend: "correct kafka.sasl"}
	if ops := rights(err); ops != "" {
		r.Mend = "kafka-acls.sh --bootstrap-server BROKER --add --allow-principal User:USER " + ops + " '" + where + "'"
	}
	return r
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
