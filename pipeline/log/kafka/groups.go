package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
)

var _ log.Groups = (*Log)(nil)

// Groups gives the offsets of every group of the cluster; see log.Groups. A
// group that we have no right to describe is not listed by the brokers.
func (l *Log) Groups(ctx context.Context, topics ...string) (map[string]log.Offsets, error) {
	listed, err := l.admin.ListGroups(ctx)
	if err != nil && !isDenied(err) {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	all := map[string]log.Offsets{}
	for name, answer := range l.admin.FetchManyOffsets(ctx, listed.Groups()...) {
		if answer.Err != nil && !isDenied(answer.Err) {
			err = errors.Join(err, fmt.Errorf("offsets of group %s: %w", name, answer.Err))
		}
		offsets := log.Offsets{}
		answer.Fetched.Each(func(o kadm.OffsetResponse) {
			if o.Err == nil && o.At >= 0 && slices.Contains(topics, o.Topic) {
				offsets[log.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.At
			}
		})
		if len(offsets) > 0 {
			all[name] = offsets
		}
	}
	if isDenied(err) {
		err = nil
	}
	return all, err
}
