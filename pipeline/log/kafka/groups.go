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

// Groups gives the offsets of every group of the cluster that we may see; see
// log.Groups.
func (l *Log) Groups(ctx context.Context, topics ...string) (map[string]log.Offsets, error) {
	listed, err := l.admin.ListGroups(ctx)
	if err != nil && !isDenied(err) {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	err = nil
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
	if hidden := l.hidden(ctx); hidden != nil {
		err = errors.Join(err, hidden)
	}
	return all, err
}

// hidden asks after a group that is none of ours, whether it exists or not: its
// name is the beginning of ours, without what makes it one. The cluster answers
// to whoever may see the groups of others, and denies it to everybody else.
func (l *Log) hidden(ctx context.Context) error {
	name := l.cfg.Deployment
	if err := l.admin.FetchManyOffsets(ctx, name)[name].Err; isDenied(err) {
		return l.cfg.unseen(err)
	}
	return nil
}
