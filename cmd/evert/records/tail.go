package records

import (
	"context"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/view"
	"github.com/evertdb/evert/schema/registry"
)

// Tail emits the records of what name means, a topic, a table or a view, as JSON
// lines, and nil before a wait that may be long. A line is emit's until that returns.
func Tail(ctx context.Context, c *configs.Config, l log.Log, r registry.Registry, name string, untilEnd bool, emit func(line []byte) error) error {
	topic, err := Find(ctx, l, topicNamed(c, name), c.TopicPrefixes())
	if err != nil {
		return err
	}
	decoder := NewDecoder(r)
	decoder.Log = l
	var line []byte
	return Follow(ctx, l, topic, untilEnd, func(r *log.Record) (err error) {
		if line, err = decoder.AppendLine(ctx, line[:0], r); err != nil {
			return err
		}
		return emit(line)
	}, func() error { return emit(nil) })
}

// topicNamed gives the topic of a view, if name is that of one.
func topicNamed(c *configs.Config, name string) string {
	if c.Views[name] != nil {
		return view.Topic(c.Name, name)
	}
	return name
}
