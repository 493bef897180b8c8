package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// What a registry of others has or does that will stop capture.
const (
	codeRegistryMode  pipeline.Code = "REGISTRY_MODE"
	codeRegistryLevel pipeline.Code = "REGISTRY_LEVEL"
	codeRegistryIDs   pipeline.Code = "REGISTRY_IDS"
)

// lookAtRegistry asks the registry, if the file names one: whether it takes
// schemas, what it lets them become, and whether the ids in our topics are its.
func (i *inspection) lookAtRegistry(ctx context.Context) {
	if i.file.Registry == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, inspectionTime)
	defer cancel()
	client, err := storage.DialRegistry(i.file.Registry, registry.Events{})
	if err != nil {
		i.found = append(i.found, failures("registry", storage.OfRegistry(err))...)
		return
	}
	var tables []log.TopicSpec
	for _, name := range i.file.SourceNames() {
		tables = append(tables, i.tableTopics(ctx, name)...)
	}
	standings, err := client.Standings(ctx, subjectsOf(tables)...)
	if err != nil {
		i.found = append(i.found, failures("registry", storage.OfRegistry(err))...)
		return
	}
	for _, s := range standings {
		i.judge(s)
	}
	for _, topic := range tables {
		if i.topics == nil {
			return
		}
		if err := i.compareIDs(ctx, client, topic); err != nil {
			i.found = append(i.found, failures("registry", storage.OfRegistry(err))...)
			return
		}
	}
}

// subjectsOf are those of topics, by TopicNameStrategy.
func subjectsOf(topics []log.TopicSpec) (subjects []string) {
	for _, t := range topics {
		subjects = append(subjects, t.Name+"-key", t.Name+"-value")
	}
	return subjects
}

// judge says what a standing means for us.
func (i *inspection) judge(s registry.Standing) {
	where, path := "registry", ""
	if s.Subject != "" {
		where, path = "subject "+s.Subject, "/"+s.Subject
	}
	put := func(resource, body string) string {
		return fmt.Sprintf("curl -X PUT -H 'Content-Type: application/vnd.schemaregistry.v1+json' -d '%s' %s/%s%s", body, i.registryAddress(), resource, path)
	}
	switch {
	case strings.HasPrefix(s.Mode, "READONLY") && i.file.Registry.AutoRegister:
		i.add("", pipeline.Found(pipeline.Fails, pipeline.Refusal{Code: codeRegistryMode, Where: where, What: "its mode is " + s.Mode + ": it takes no new schemas",
			Mend: put("mode", `{"mode": "READWRITE"}`)}))
	case s.Level == "NONE": // K24
		i.add("", pipeline.Found(pipeline.Warns, pipeline.Refusal{Code: codeRegistryLevel, Where: where,
			What: "its compatibility level is NONE: a table may become what its readers cannot read, and nothing stops it",
			Mend: put("config", `{"compatibility": "BACKWARD"}`)}))
	default:
		i.add("", pipeline.Good(where, "it takes schemas that are "+s.Level+" compatible with the earlier ones"))
	}
}

// registryAddress is the registry's, without what the address may hold of secrets.
func (i *inspection) registryAddress() string {
	url, err := i.file.Registry.URL.Reveal()
	if err != nil {
		return "URL"
	}
	scheme, rest, _ := strings.Cut(url, "://")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + "://" + strings.TrimSuffix(rest, "/")
}

// compareIDs looks at the oldest record of a topic: the ids in it have to be
// those of its subjects (K25).
func (i *inspection) compareIDs(ctx context.Context, client *registry.Client, topic log.TopicSpec) error {
	first, err := firstRecord(ctx, i.topics, topic.Name)
	if first == nil || err != nil {
		return err
	}
	for part, b := range map[string][]byte{"-key": first.Key, "-value": first.Value} {
		id, _, err := avro.ParseWire(b)
		if err != nil {
			continue // a tombstone
		}
		ok, err := client.Means(ctx, topic.Name+part, id)
		if err != nil {
			return err
		}
		if !ok {
			i.add("", pipeline.Found(pipeline.Fails, pipeline.Refusal{Code: codeRegistryIDs, Where: "topic " + topic.Name,
				What: fmt.Sprintf("a record at offset %d has schema id %d, which is none of subject %s%s: the registry was wiped, or is another", first.Offset, id, topic.Name, part),
				Mend: "restore the registry's schemas with their ids, or name the registry that gave them out; else begin the topics anew: evert reset SOURCE --yes"}))
		}
	}
	return nil
}

// firstRecord gives the oldest record of a topic's first partitions that have
// one; nil if none has.
func firstRecord(ctx context.Context, l log.Log, topic string) (*log.Record, error) {
	infos, err := l.Admin().Topics(ctx, topic)
	if err != nil || len(infos) == 0 {
		return nil, err
	}
	r, err := l.Reader(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	from, to := log.Offsets{}, log.Offsets{}
	for p, ends := range infos[0].Ends {
		if ends.Start < ends.Stable {
			tp := log.TopicPartition{Topic: topic, Partition: int32(p)}
			from[tp], to[tp] = ends.Start, ends.Stable
		}
	}
	if len(from) == 0 {
		return nil, nil
	}
	if err := r.Assign(from); err != nil {
		return nil, err
	}
	r.Limit(to)
	for {
		f, err := r.Next(ctx, 1)
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, err
		case len(f.Records) > 0:
			first := f.Records[0]
			first.Key, first.Value = append([]byte(nil), first.Key...), append([]byte(nil), first.Value...)
			return &first, nil
		}
	}
}
