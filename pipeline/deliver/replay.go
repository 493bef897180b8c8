package deliver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/pipeline/log"
)

// An Outcome is what became of a record that was to be delivered once more.
type Outcome string

// A record was handed to the target (who may have rejected it again); has a newer
// one of its key, which was delivered in its turn or will be; cannot be read; or
// lies before the sink, which has not passed it yet.
const (
	Delivered  Outcome = "delivered"
	Newer      Outcome = "newer"
	Unreadable Outcome = "unreadable"
	Ahead      Outcome = "ahead"
)

// ReplayHeader marks changes that are delivered once more: their places lie below
// those that were delivered since.
const ReplayHeader = "evert-replay"

// IsReplay reports whether a change is delivered once more.
func IsReplay(c *pipeline.Change) bool {
	return slices.ContainsFunc(c.Headers, func(h pipeline.Header) bool { return h.Key == ReplayHeader })
}

// CodeReplay says that records cannot be delivered once more now.
const CodeReplay pipeline.Code = "SINK_REPLAY"

// Replay delivers records of the topics once more, in the order of their places,
// through the transforms and into the target, and says what became of each. Its
// commit leaves the target's place where it is. With dry nothing is delivered, and
// what would be counts as Delivered. Run does not run meanwhile. After an error
// the records may have been delivered, and nothing is known of them.
func (d *Delivery) Replay(ctx context.Context, places []Place, dry bool) (map[Place]Outcome, error) {
	target, err := d.Target()
	if err != nil {
		return nil, fmt.Errorf("make the target of sink %s: %w", d.Name, err)
	}
	defer target.Close()
	from, err := target.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open sink: %w", err)
	}
	at, err := parseStanding(from.State, d.Topics)
	if from.IsZero() || err != nil || !at.whole || at.definition != d.Definition {
		return nil, &pipeline.Refusal{Code: CodeReplay, Where: "sink " + d.Name, What: "it is being filled, so that every row is delivered anyway",
			Mend: "evert status   # when it follows, replay what is left"}
	}
	r := &replay{Delivery: d, target: target, at: at, outcomes: map[Place]Outcome{}}
	found, err := r.look(ctx, places)
	if err != nil || dry {
		return r.outcomes, err
	}
	if err := r.deliver(ctx, found); err != nil {
		return nil, err
	}
	return r.outcomes, target.Commit(ctx, from)
}

// A replay is one call of Replay.
type replay struct {
	*Delivery
	target     Target
	transforms []pipeline.Transform
	at         *standing
	outcomes   map[Place]Outcome
}

// look finds the records that are the newest of their keys, or any of an append-only
// topic, in the order of their places, and the outcome of the others.
func (r *replay) look(ctx context.Context, places []Place) (found []wanted, err error) {
	by := map[log.TopicPartition][]int64{}
	for _, p := range places {
		tp := log.TopicPartition{Topic: p.Topic, Partition: p.Partition}
		switch read, known := r.at.of(p.Topic).read[p.Partition]; {
		case !slices.Contains(r.Topics, p.Topic) || known && p.Offset < r.void(tp):
			r.outcomes[p] = Newer
		case p.Offset >= read:
			r.outcomes[p] = Ahead
		case r.appends(p.Topic):
			r.outcomes[p] = Unreadable // until it is found: age takes what nothing newer stands for
			by[tp] = append(by[tp], p.Offset)
		default:
			r.outcomes[p] = Newer // until it is found, and nothing newer
			by[tp] = append(by[tp], p.Offset)
		}
	}
	for _, topic := range r.Topics {
		some, err := r.lookAt(ctx, topic, by)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// lookAt looks for the records of one topic.
func (r *replay) lookAt(ctx context.Context, topic string, by map[log.TopicPartition][]int64) (found []wanted, err error) {
	infos, err := r.Log.Admin().Topics(ctx, topic)
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 { // no newer record counts: a letter may be all that is left of its row
		return nil, r.stopped(&intake.Gone{Topic: topic, What: "it is gone"})
	}
	for partition := range infos[0].Ends {
		tp := log.TopicPartition{Topic: topic, Partition: int32(partition)}
		if len(by[tp]) == 0 {
			continue
		}
		some, err := r.lookIn(ctx, tp, by[tp], infos[0].Ends[partition])
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// appends reports whether every record of a topic says a change of its own.
func (r *replay) appends(topic string) bool { return r.at.cut.Tables[topic].Append }

// void gives the offset below which rows are void.
func (r *replay) void(tp log.TopicPartition) int64 {
	from := r.at.cut.Tables[tp.Topic].From
	if int(tp.Partition) < len(from) && !r.appends(tp.Topic) {
		return from[tp.Partition]
	}
	return 0
}

func (r *replay) lookIn(ctx context.Context, tp log.TopicPartition, offsets []int64, bounds log.Ends) (found []wanted, err error) {
	slices.Sort(offsets)
	bounds.Start = max(bounds.Start, offsets[0])
	newest := map[string]wanted{} // of the keys that were asked for
	appends := r.appends(tp.Topic)
	places := intake.Places{Incarnation: r.at.cut.Incarnation, Last: map[int32]log.Pos{}}
	err = log.Scan(ctx, r.Log, tp, bounds, func(rec *log.Record) error {
		if places.IsRepeated(rec) { // by a writer that was cut off: it is no newer one
			return nil
		}
		_, asked := slices.BinarySearch(offsets, rec.Offset)
		key := string(rec.Key)
		if appends {
			key = strconv.FormatInt(rec.Offset, 10) // each says a change of its own
		}
		had, known := newest[key]
		switch {
		case asked:
			newest[key] = wanted{cloneRecord(rec), placeOfRecord(rec)}
		case known && rec.Value == nil && rec.Offset < r.at.next(tp):
			had.record = cloneRecord(rec) // the row is gone, which may be what was asked for: its delete stands before
			newest[key] = had
		case known:
			delete(newest, key)
		}
		return nil
	})
	if errors.Is(err, log.ErrGap) {
		err = nil // what is gone has a newer one
	}
	for _, w := range newest {
		found = append(found, w)
		r.outcomes[w.place] = Delivered
	}
	slices.SortFunc(found, func(a, b wanted) int { return cmp.Compare(a.record.Offset, b.record.Offset) })
	return found, err
}

// wanted is the newest record of a key, for the place that was asked for.
type wanted struct {
	record log.Record
	place  Place
}

func placeOfRecord(r *log.Record) Place {
	return Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
}

func cloneRecord(r *log.Record) log.Record {
	c := *r
	c.Key, c.Headers = bytes.Clone(r.Key), nil
	c.Value = bytes.Clone(r.Value)
	for _, h := range r.Headers {
		c.Headers = append(c.Headers, log.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return c
}

// deliver decodes the records as the sink does, and writes them.
func (r *replay) deliver(ctx context.Context, found []wanted) (err error) {
	if r.Transforms != nil {
		if r.transforms, err = r.Transforms(r.Rejects); err != nil {
			return err
		}
	}
	config := r.Config
	config.OldRows = nil // what a row was before was never given
	p := &pump{Source: &Source{Config: &config}, at: r.at, load: &load{}}
	p.open()
	for _, f := range p.feeds {
		if err := f.refresh(ctx); err != nil {
			return err
		}
	}
	for i := range found {
		if err := r.one(ctx, p, &found[i]); err != nil {
			return p.stopped(err)
		}
	}
	return r.write(ctx, p)
}

// one adds one record, and writes what there is when that is enough.
func (r *replay) one(ctx context.Context, p *pump, w *wanted) error {
	rec := &w.record
	f := p.of(rec.Topic)
	err := f.add(ctx, rec)
	if errors.Is(err, errShape) {
		if err := r.write(ctx, p); err != nil {
			return err
		}
		err = f.add(ctx, rec)
	}
	var poison *intake.Poison
	switch {
	case errors.As(err, &poison):
		r.outcomes[w.place] = Unreadable
		return nil
	case err != nil:
		return err
	case f.missing[string(rec.Key)]:
		r.outcomes[w.place] = Newer
	}
	if p.load.isFull(r.Limits.Bytes/readAhead, r.Limits.Rows) {
		return r.write(ctx, p)
	}
	return nil
}

// write gives what is gathered to the target.
func (r *replay) write(ctx context.Context, p *pump) (err error) {
	p.announce(p.load)
	b := p.load.batch
	for i := range b.Changes {
		if r.OldRows != nil && b.Changes[i].Op == pipeline.Update {
			b.Changes[i].Op, b.Changes[i].Rank = pipeline.Create, rank(r.at.cut.Number, putting)
		}
		b.Changes[i].Headers = append(b.Changes[i].Headers, pipeline.Header{Key: ReplayHeader, Value: []byte("true")})
	}
	p.load = &load{}
	for _, t := range r.transforms {
		if b, err = t.Apply(ctx, b); err != nil {
			return fmt.Errorf("transform: %w", err)
		}
	}
	if len(b.Changes) == 0 && len(b.Tables) == 0 {
		return nil
	}
	return r.target.Write(ctx, b)
}
