package inspect

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/captures"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// lookAtCluster asks a cluster what it is and allows, whether it has or takes
// topics as they have to be, and whose they are.
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
	specs := i.internalTopics()
	i.found = append(i.found, failures("topics", cluster.Try(ctx, specs...))...)
	for _, name := range i.file.SourceNames() {
		tables := i.tableTopics(ctx, name)
		specs = append(specs, tables...)
		i.lookAtOwners(ctx, name, tables)
		i.found = append(i.found, failures("topics", named(name, cluster.Try(ctx, tables...)))...)
	}
	i.add("", cluster.Check(ctx, i.subjects(specs))...)
}

// named puts a source's name into mends of the log, which knows none.
func named(source string, err error) error {
	for _, r := range Refusals(err) {
		r.Mend = strings.ReplaceAll(r.Mend, "SOURCE", source)
	}
	return err
}

func (i *inspection) subjects(specs []log.TopicSpec) kafka.Subjects {
	s := kafka.Subjects{Now: time.Now()}
	for _, spec := range specs {
		s.Topics = append(s.Topics, spec.Name)
	}
	for _, name := range i.file.SourceNames() {
		group, _ := captures.Ownership(i.file, name)
		s.Groups = append(s.Groups, group)
		s.Writers = append(s.Writers, capture.WriterID(name))
	}
	return s
}

// internalTopics says what they have to be.
func (i *inspection) internalTopics() (specs []log.TopicSpec) {
	names := []string{log.OwnersTopic, log.ControlTopic(i.file.Name)}
	if i.file.Registry == nil {
		names = append(names, log.SchemasTopic(i.file.Name))
	}
	for _, source := range i.file.SourceNames() {
		names = append(names, log.FrontierTopic(i.file.Name, source))
	}
	for _, name := range names {
		specs = append(specs, log.TopicSpec{Name: name, Partitions: 1, Compact: true})
	}
	return specs
}

// tableTopics says what the topics of a source's tables have to be, with the ids
// that the frontier speaks of (K13). Where the server did not tell its tables,
// one is made up, so that something is asked.
func (i *inspection) tableTopics(ctx context.Context, source string) (specs []log.TopicSpec) {
	known := map[string]log.TableState{}
	if i.topics != nil {
		if f := i.frontier(ctx, source); f != nil {
			known = f.Tables
		}
	}
	tables := i.tables[source]
	if tables == nil && (i.file.Kafka == nil || i.file.Kafka.Topics.Manage == "create") {
		tables = []databases.TableName{{Schema: "evert", Name: "check"}}
	}
	for _, t := range tables {
		want := captures.TableTopic(i.file, source, t)
		want.Name = cmp.Or(want.Name, log.TableTopic(i.file.Sources[source].TopicPrefix, t.Schema, t.Name))
		spec := want.Spec()
		spec.ID = known[want.Name].ID
		specs = append(specs, spec)
	}
	return specs
}

// lookAtOwners refuses topics that belong to another source or deployment.
func (i *inspection) lookAtOwners(ctx context.Context, source string, specs []log.TopicSpec) {
	who := log.Owner{Deployment: i.file.Name, Source: source}
	var topics []string
	for _, spec := range specs {
		topics = append(topics, spec.Name)
	}
	if err := log.CheckOwner(ctx, i.topics, who, topics...); err != nil {
		i.found = append(i.found, failures("the owners of topics", err)...)
		return
	}
	i.add(source, pipeline.Good("topics", "none of those that it would write belongs to another source or deployment"))
}

func (i *inspection) foundTopic(r *pipeline.Refusal) {
	i.add("", pipeline.Found(pipeline.Warns, *r))
}
