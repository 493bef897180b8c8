package listener

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

// The places in a partition that have a name of their own instead of a time
// (ListOffsetsRequest).
const (
	latest        = -1 // the stable end, whatever the isolation level
	earliest      = -2
	maxTimestamp  = -3 // the newest record
	earliestLocal = -4 // all that there is, is local
	latestTiered  = -5 // nothing is tiered
)

// listOffsets finds places in partitions by name or by time.
func (c *conn) listOffsets(r *kmsg.ListOffsetsRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrListOffsetsResponse()
	for i := range r.Topics {
		t := kmsg.NewListOffsetsResponseTopic()
		t.Topic = r.Topics[i].Topic
		for _, asked := range r.Topics[i].Partitions {
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition, p.LeaderEpoch = asked.Partition, noEpoch
			found, err := c.place(log.TopicPartition{Topic: t.Topic, Partition: asked.Partition}, asked.Timestamp)
			if p.ErrorCode, err = codeOf(err); err != nil {
				return nil, err
			}
			p.Offset, p.Timestamp = found.Offset, -1
			if !found.Time.IsZero() {
				p.Timestamp = found.Time.UnixMilli()
			}
			t.Partitions = append(t.Partitions, p)
		}
		answer.Topics = append(answer.Topics, t)
	}
	return answer, nil
}

// place finds one place: the time is that of the record at it, zero if the
// place has a name.
func (c *conn) place(tp log.TopicPartition, at int64) (embedded.Stamp, error) {
	nowhere := embedded.Stamp{Offset: -1}
	ends, _, err := c.cfg.Log.Bounds(tp)
	switch {
	case err != nil:
		return nowhere, err
	case at == latest:
		return embedded.Stamp{Offset: ends.Stable}, nil
	case at == earliest || at == earliestLocal:
		return embedded.Stamp{Offset: ends.Start}, nil
	case at == maxTimestamp:
		return c.cfg.Log.Newest(tp)
	case at == latestTiered:
		return nowhere, nil
	case at < 0:
		return nowhere, errUnknownPlace
	}
	return c.cfg.Log.Since(tp, time.UnixMilli(at))
}

var errUnknownPlace = errors.New("no such place")

// codeOf gives the protocol's word for an error about one partition. What is
// none, because the log is closed or cannot go on, is given back.
func codeOf(err error) (int16, error) {
	switch {
	case err == nil:
		return 0, nil
	case errors.Is(err, log.ErrNoTopic):
		return kerr.UnknownTopicOrPartition.Code, nil
	case errors.Is(err, errUnknownPlace):
		return kerr.UnsupportedVersion.Code, nil
	}
	return 0, err
}
