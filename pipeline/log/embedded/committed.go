package embedded

import (
	"bytes"
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline/log"
)

var _ log.Groups = (*Log)(nil)

// Committed gives the offsets that a group has committed.
func (l *Log) Committed(_ context.Context, group string) (log.Offsets, error) {
	offsets := log.Offsets{}
	err := l.eachGroup(groupPrefix(group), func(_ string, tp log.TopicPartition, offset int64) { offsets[tp] = offset })
	return offsets, err
}

// Groups gives the offsets of every group; see log.Groups.
func (l *Log) Groups(_ context.Context, topics ...string) (map[string]log.Offsets, error) {
	all := map[string]log.Offsets{}
	err := l.eachGroup([]byte{kindGroup}, func(group string, tp log.TopicPartition, offset int64) {
		if !slices.Contains(topics, tp.Topic) {
			return
		}
		if all[group] == nil {
			all[group] = log.Offsets{}
		}
		all[group][tp] = offset
	})
	return all, err
}

// eachGroup calls fn for each offset under a prefix of groupKey.
func (l *Log) eachGroup(prefix []byte, fn func(group string, tp log.TopicPartition, offset int64)) error {
	done, err := l.use()
	if err != nil {
		return err
	}
	defer done()
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper(prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		end := bytes.IndexByte(it.Key(), 0) + 1
		fn(string(it.Key()[1:end-1]), parseGroupKey(it.Key(), it.Key()[:end]), parseInt64(it.Value()))
	}
	return it.Close()
}
