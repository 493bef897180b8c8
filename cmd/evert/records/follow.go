package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// CodeNoSuchTopic refuses a name that is no topic and no table of one.
const CodeNoSuchTopic pipeline.Code = "NO_SUCH_TOPIC"

// Follow gives a topic's records, in order within each partition, until the end
// that it has now or until ctx ends. The record is valid during the call of fn.
// idle, if it is not nil, is called before each wait that may be long.
func Follow(ctx context.Context, l log.Log, topic log.TopicInfo, untilEnd bool, fn func(*log.Record) error, idle func() error) error {
	r, err := l.Reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	from, to, empty := log.Offsets{}, log.Offsets{}, true
	for p, ends := range topic.Ends {
		tp := log.TopicPartition{Topic: topic.Name, Partition: int32(p)}
		from[tp], to[tp] = ends.Start, ends.Stable
		empty = empty && ends.Start >= ends.Stable
	}
	if untilEnd && empty {
		return nil
	}
	if err := r.Assign(from); err != nil {
		return err
	}
	if untilEnd {
		r.Limit(to)
	}
	return read(ctx, r, fn, idle)
}

func read(ctx context.Context, r log.Reader, fn func(*log.Record) error, idle func() error) error {
	for {
		f, err := r.Next(ctx, 500)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range f.Records {
			if err := fn(&f.Records[i]); err != nil {
				return err
			}
		}
		if idle != nil && f.Next >= f.Stable {
			if err := idle(); err != nil {
				return err
			}
		}
	}
}

// Find gives the topic that name means: a topic's own name, or a table's, as
// schema.table of any of the sources with these topic prefixes.
func Find(ctx context.Context, l log.Log, name string, prefixes []string) (log.TopicInfo, error) {
	hits, failed := those(ctx, l, candidates(name, prefixes))
	if len(hits) == 0 && failed != nil {
		return log.TopicInfo{}, failed
	}
	exact := slices.IndexFunc(hits, func(i log.TopicInfo) bool { return i.Name == name })
	switch {
	case exact >= 0:
		return hits[exact], nil
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) > 1:
		return log.TopicInfo{}, refuse(fmt.Sprintf("%q is a table of several sources", name), "name one of the topics "+names(hits))
	}
	all, err := l.Admin().Topics(ctx) // to name some; a cluster may hold many that are not ours to describe
	if err != nil {
		all = nil
	}
	return log.TopicInfo{}, refuse(fmt.Sprintf("there is no topic and no captured table %q", name), "name one of "+names(visible(all)))
}

// those gives the topics with these names, asked for one by one: what is a table's
// name is a topic's as well, and a cluster may deny the latter.
func those(ctx context.Context, l log.Log, names []string) (hits []log.TopicInfo, failed error) {
	for i, name := range names {
		found, err := l.Admin().Topics(ctx, name)
		if i > 0 || len(names) == 1 {
			failed = errors.Join(failed, err)
		}
		hits = append(hits, found...)
	}
	return hits, failed
}

func candidates(name string, prefixes []string) []string {
	var wanted []string
	if log.Sanitize(name) == name { // a cluster refuses to be asked of others
		wanted = append(wanted, name)
	}
	p, err := configs.ParseTable(name)
	if err != nil {
		return wanted
	}
	schema, table, ok := p.Exact()
	if !ok {
		return wanted
	}
	for _, prefix := range prefixes {
		wanted = append(wanted, log.TableTopic(prefix, schema, table))
	}
	return wanted
}

// visible leaves out internal topics.
func visible(all []log.TopicInfo) []log.TopicInfo {
	return slices.DeleteFunc(slices.Clone(all), func(i log.TopicInfo) bool { return strings.HasPrefix(i.Name, "__") })
}

func names(infos []log.TopicInfo) string {
	if len(infos) == 0 {
		return "the topics that `evert status` lists once something was captured"
	}
	list := make([]string, 0, len(infos))
	for _, i := range infos {
		list = append(list, i.Name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func refuse(what, mend string) error {
	return &pipeline.Refusal{Code: CodeNoSuchTopic, What: what, Mend: mend}
}
