package letters

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/records"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

// Letters are dead letters, in a log of ours or behind a daemon.
type Letters interface {
	DeadLetters(ctx context.Context, name string, limit int) (api.DeadLetters, error)
	DeadLetter(ctx context.Context, name, place string, values bool) (api.DeadLetterShown, error)
}

// OfClient are those of a daemon.
type OfClient struct{ *api.Client }

// OfLog are those of a log.
type OfLog struct {
	Config   *configs.Config
	Log      log.Log
	Registry registry.Registry
}

// DeadLetters implements Letters.
func (d *OfLog) DeadLetters(ctx context.Context, name string, limit int) (list api.DeadLetters, err error) {
	if d.Config.Sinks[name] != nil {
		list, err = d.ofSink(ctx, name)
	} else {
		list, err = d.ofTable(ctx, name)
	}
	counts := map[pipeline.Code]int{}
	for _, l := range list.Letters {
		counts[l.Code]++
	}
	list.Total, list.Reasons = len(list.Letters), []api.DeadLetterReason{}
	for code, n := range counts {
		list.Reasons = append(list.Reasons, api.DeadLetterReason{Code: code, Count: n})
	}
	slices.SortFunc(list.Reasons, func(a, b api.DeadLetterReason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code))
	})
	if limit > 0 {
		list.Letters = list.Letters[:min(limit, len(list.Letters))]
	}
	return list, err
}

func (d *OfLog) ofSink(ctx context.Context, name string) (api.DeadLetters, error) {
	list := api.DeadLetters{Topic: deadletter.Topic(d.Config.Name, name), Letters: []api.DeadLetter{}}
	all, err := deadletter.List(ctx, d.Log, list.Topic)
	for i := range all {
		list.Letters = append(list.Letters, letterOf(&all[i]))
	}
	return list, err
}

func letterOf(l *deadletter.Letter) api.DeadLetter {
	return api.DeadLetter{Place: deadletter.PlaceText(l.Place), Code: l.Code, What: l.What, At: l.At, Attempt: l.Attempt, Held: string(l.Held), Bytes: int64(l.Bytes)}
}

// ofTable lists the rows of a table that did not fit into its topic. They lie in
// pieces; the first of each is its place.
func (d *OfLog) ofTable(ctx context.Context, name string) (api.DeadLetters, error) {
	infos, err := d.Log.Admin().Topics(ctx, name, log.DeadLetterTopic(name))
	if err != nil {
		return api.DeadLetters{}, err
	}
	if len(infos) == 0 {
		return api.DeadLetters{}, &pipeline.Refusal{Code: api.CodeNoSuchSink, What: fmt.Sprintf("there is neither a sink nor a topic %q", name),
			Mend: fmt.Sprintf("name one of %v, or a table's topic", slices.Sorted(maps.Keys(d.Config.Sinks)))}
	}
	info := infos[len(infos)-1] // the topic of dead letters, if both are there
	list := api.DeadLetters{Topic: info.Name, Letters: []api.DeadLetter{}}
	if info.Name == name && len(infos) == 1 && !isDeadLetterTopic(name) {
		list.Topic = log.DeadLetterTopic(name)
		return list, nil
	}
	for p := range info.Ends {
		more := 0 // pieces of the present letter
		tp := log.TopicPartition{Topic: info.Name, Partition: int32(p)}
		err := log.Scan(ctx, d.Log, tp, info.Ends[p], func(r *log.Record) error {
			if more > 0 {
				more--
				return nil
			}
			c, err := log.ParseChunk(r.Value)
			if err != nil {
				return nil // foreign
			}
			more = c.Chunks - 1
			list.Letters = append(list.Letters, api.DeadLetter{Place: deadletter.PlaceText(deliver.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}),
				Code: pipeline.Code(r.Find(log.ReasonHeader)), At: r.Time, Held: string(deadletter.Record), Bytes: c.Total})
			return nil
		})
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

func isDeadLetterTopic(name string) bool {
	end := log.DeadLetterTopic("")
	return len(name) > len(end) && name[len(name)-len(end):] == end
}

// DeadLetter implements Letters.
func (d *OfLog) DeadLetter(ctx context.Context, name, place string, values bool) (shown api.DeadLetterShown, err error) {
	if d.Config.Sinks[name] == nil {
		return shown, api.NoSink(name, d.Config.SinkNames())
	}
	p, err := deadletter.ParsePlace(place)
	if err != nil {
		return shown, &pipeline.Refusal{Code: api.CodeBadRequest, What: "the letter is not named by its place", Err: err, Mend: "evert dlq list " + name}
	}
	l, ok, err := deadletter.Get(ctx, d.Log, deadletter.Topic(d.Config.Name, name), p)
	if err != nil {
		return shown, err
	}
	if !ok {
		return shown, &pipeline.Refusal{Code: api.CodeNoLetter, Where: "sink " + name, What: "there is no dead letter of " + place, Mend: "evert dlq list " + name}
	}
	shown = api.DeadLetterShown{DeadLetter: letterOf(&l), Sink: l.Sink, Incarnation: l.Incarnation}
	if values && l.Held != deadletter.Superseded {
		d.show(ctx, &shown, &l)
	}
	return shown, nil
}

// show adds the record of a letter, decoded; or its bytes, where it cannot be
// read.
func (d *OfLog) show(ctx context.Context, shown *api.DeadLetterShown, l *deadletter.Letter) {
	r := l.Record()
	decoder := records.NewDecoder(d.Registry)
	decoder.Log = d.Log
	line, err := decoder.AppendLine(ctx, nil, &r)
	if err != nil {
		shown.Key, shown.Value = r.Key, r.Value
		return
	}
	shown.Record = line[:len(line)-1]
}
