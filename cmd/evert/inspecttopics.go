package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// lookAtCluster asks a cluster what it is and allows, and whether it has or takes
// topics as they have to be: those that exist, one of each source, and that of
// each table that has settings of its own.
func (i *inspection) lookAtCluster(ctx context.Context) {
	if i.topics == nil {
		return
	}
	cluster, ok := i.topics.Log.(*kafka.Log)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, inspectionTime)
	defer cancel()
	internal, tables := i.knownTopics(ctx)
	s := kafka.Subjects{Now: time.Now()}
	for _, spec := range slices.Concat(internal, tables) {
		s.Topics = append(s.Topics, spec.Name)
	}
	for _, name := range i.config.SourceNames() {
		group, _ := ownership(i.config, name)
		s.Groups = append(s.Groups, group)
		s.Writers = append(s.Writers, capture.WriterID(name))
	}
	i.add("", cluster.Check(ctx, s)...)
	specs := append(slices.Concat(internal, tables), topicsToTry(i.config)...)
	i.found = append(i.found, failures("topics", cluster.Try(ctx, specs...))...)
}

// knownTopics gives what the internal topics have to be, and the table topics
// that frontiers speak of, with the ids that they had (K13).
func (i *inspection) knownTopics(ctx context.Context) (internal, tables []log.TopicSpec) {
	one := func(name string) {
		internal = append(internal, log.TopicSpec{Name: name, Partitions: 1, Compact: true})
	}
	one(log.OwnersTopic)
	one(log.ControlTopic(i.config.Name))
	if i.config.Registry == nil {
		one(log.SchemasTopic(i.config.Name))
	}
	for _, name := range i.config.SourceNames() {
		one(log.FrontierTopic(i.config.Name, name))
		f := i.frontier(ctx, name)
		if f == nil {
			continue
		}
		for _, topic := range slices.Sorted(maps.Keys(f.Tables)) {
			spec := topicToTry(i.config, topic, i.config.Sources[name].For(tableOf(topic, i.config.Sources[name].TopicPrefix)).Topic)
			spec.ID = f.Tables[topic].ID
			tables = append(tables, spec)
		}
	}
	return internal, tables
}

// tableOf gives the table of a topic, as far as its name tells: what cannot stand
// in one was replaced.
func tableOf(topic, prefix string) (schema, table string) {
	schema, table, _ = strings.Cut(strings.TrimPrefix(topic, prefix+"."), ".")
	return schema, table
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
	spec := log.TopicSpec{Name: name, Compact: true, Partitions: int32(own.Partitions), Settings: own.Config}
	if c.Kafka != nil {
		spec.Partitions = cmp.Or(spec.Partitions, int32(c.Kafka.Topics.Partitions))
	}
	return spec
}
