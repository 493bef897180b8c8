package main

import (
	"cmp"
	"context"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// lookAtTopics asks a cluster whether it takes topics as they have to be: one of
// each source, and that of each table that has settings of its own.
func (i *inspection) lookAtTopics(ctx context.Context) {
	if i.topics == nil {
		return
	}
	cluster, ok := i.topics.Log.(*kafka.Log)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, inspectionTime)
	defer cancel()
	i.found = append(i.found, failures("topics", cluster.Try(ctx, topicsToTry(i.config)...))...)
}

func (i *inspection) foundTopic(r *pipeline.Refusal) {
	i.add("", pipeline.Found(pipeline.Warns, *r))
}

func topicsToTry(c *configs.Config) (specs []log.TopicSpec) {
	for _, name := range c.SourceNames() {
		s := c.Sources[name]
		specs = append(specs, topicToTry(c, log.TableTopic(s.TopicPrefix, "evert", "check"), configs.Topic{}))
		for p := range s.Overrides {
			if schema, table, exact := p.Exact(); exact && len(s.Overrides[p].Topic.Config) > 0 {
				specs = append(specs, topicToTry(c, log.TableTopic(s.TopicPrefix, schema, table), s.For(schema, table).Topic))
			}
		}
	}
	return specs
}

func topicToTry(c *configs.Config, name string, own configs.Topic) log.TopicSpec {
	return log.TopicSpec{Name: name, Compact: true, Partitions: int32(cmp.Or(own.Partitions, c.Kafka.Topics.Partitions)), Settings: own.Config}
}
