package view

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// WriterID is the id of the writer that a view's rows go through.
func WriterID(view string) string { return "view." + view }

// Topic names the topic of a view.
func Topic(deployment, view string) string { return deployment + ".views." + view }

// FrontierTopic names the frontier topic of a view.
func FrontierTopic(deployment, view string) string {
	return log.FrontierTopic(deployment, log.ViewOwner(view))
}

func (t *Task) frontierTopic() string { return FrontierTopic(t.Deployment, t.Name) }

// Table is the shape of a view's rows, as its topic holds them. Columns outside
// the key are nullable, so that a later version of the view may lack them.
func Table(deployment, name string, p *dataflow.Plan) *schema.Table {
	t := &schema.Table{Database: deployment, Schema: "views", Name: name, Version: 1, Key: p.Key, Columns: slices.Clone(p.Root.Columns())}
	for i := range t.Columns {
		t.Columns[i].Nullable = t.Columns[i].Nullable || !t.IsKey(i)
	}
	return t
}

// open fences older writers of the view, settles what they left, and makes or
// verifies its topics and schemas.
func (t *Task) open(ctx context.Context) (err error) {
	if t.writer, err = t.Log.Writer(ctx, WriterID(t.Name)); err != nil {
		return fmt.Errorf("take the writer of view %s: %w", t.Name, err)
	}
	o := &output{topic: Topic(t.Deployment, t.Name), partitions: t.Partitions, table: Table(t.Deployment, t.Name, t.Plan)}
	t.output = o
	if o.codec, err = avro.Compile(o.table, avro.Options{Topic: o.topic, Envelope: avro.Row}); err != nil {
		return err
	}
	infos, err := t.ensure(ctx)
	if err != nil {
		return err
	}
	if err := t.register(ctx); err != nil {
		return err
	}
	return t.recall(ctx, infos)
}

// ensure makes the topics that are missing, claims them before the first record,
// and verifies them.
func (t *Task) ensure(ctx context.Context) (log.TopicInfo, error) {
	o, none := t.output, log.TopicInfo{}
	owner := log.Owner{Deployment: t.Deployment, Source: log.ViewOwner(t.Name)}
	if err := t.checkForeign(ctx); err != nil {
		return none, err
	}
	if err := log.Claim(ctx, t.Log, owner, o.topic); err != nil {
		return none, err
	}
	frontier := log.TopicSpec{Name: t.frontierTopic(), Partitions: 1, Compact: true}
	rows := log.TopicSpec{Name: o.topic, Partitions: int32(o.partitions), Compact: true}
	infos, err := t.Log.Admin().Ensure(ctx, frontier, rows)
	if err != nil {
		return none, err
	}
	if o.maxBytes = infos[1].MaxBytes; o.maxBytes <= 0 {
		o.maxBytes = defaultRecordBytes
	}
	return infos[1], nil
}

// defaultRecordBytes is the largest record of a topic that does not say.
const defaultRecordBytes = 16 << 20

// checkForeign refuses a topic with records that nobody is known to have written.
func (t *Task) checkForeign(ctx context.Context) error {
	topic := t.output.topic
	owners, err := log.Owners(ctx, t.Log, topic)
	if _, owned := owners[topic]; err != nil || owned {
		return err
	}
	infos, err := t.Log.Admin().Topics(ctx, topic)
	if err != nil {
		return err
	}
	for _, info := range infos {
		for _, ends := range info.Ends {
			if ends.Start < ends.Stable {
				return &pipeline.Refusal{Code: log.RefuseForeign, Where: "topic " + topic,
					What: "it holds records that no deployment of Evert is known to have written",
					Mend: "give the view another name in the file; or delete the topic if nobody needs it"}
			}
		}
	}
	return nil
}

// register gets the schema ids. The key of a topic never changes: records of one
// row would no longer share it.
func (t *Task) register(ctx context.Context) (err error) {
	o := t.output
	_, text, err := t.Registry.Latest(ctx, o.topic+"-key")
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("look up the key schema of view %s: %w", t.Name, err)
	}
	if err == nil && !avro.Equal(text, o.codec.KeySchema()) {
		return &pipeline.Refusal{Code: CodeKey, Where: "view " + t.Name, What: "its key has other columns or types than its topic " + o.topic + " is keyed by",
			Mend: "give the view another name in the file; the old topic stays for who reads it"}
	}
	if o.keyID, err = t.Registry.Register(ctx, o.topic+"-key", o.codec.KeySchema()); err != nil {
		return t.notRegistered("key", err)
	}
	if o.valueID, err = t.Registry.Register(ctx, o.topic+"-value", o.codec.ValueSchema()); err != nil {
		return t.notRegistered("value", err)
	}
	return nil
}

func (t *Task) notRegistered(part string, err error) error {
	for _, refused := range []error{registry.ErrIncompatible, registry.ErrUnregistered, registry.ErrRefused} {
		if errors.Is(err, refused) {
			return &pipeline.Refusal{Code: CodeSchema, Where: "subject " + t.output.topic + "-" + part, What: "the registry does not take the schema of the view's " + part, Err: err,
				Mend: "give the view another name in the file; or register the schema, or lower the subject's compatibility level, in the registry"}
		}
	}
	return fmt.Errorf("register the %s schema of view %s: %w", part, t.Name, err)
}

// recall reads the view's own frontier. Without one its history begins.
func (t *Task) recall(ctx context.Context, info log.TopicInfo) error {
	t.entered = false
	if err := t.Holding(ctx, t.frontierTopic()); err != nil {
		return err
	}
	fold, err := log.ReadFrontier(ctx, t.Log, t.frontierTopic())
	if err != nil {
		return err
	}
	newest, ok := fold.Frontier()
	if !ok {
		return t.begin(newest.Number, info)
	}
	t.own, t.fresh = newest.Clone(), false
	if t.said, t.terms, err = parseState(newest.Resume.State); err != nil {
		return fmt.Errorf("read %s: %w", t.frontierTopic(), err)
	}
	if id := newest.Tables[info.Name].ID; id != info.ID {
		return t.topicReplaced("it was deleted and made anew, and is not the one that the view's frontier speaks of")
	}
	for p, ends := range info.Ends {
		tp := log.TopicPartition{Topic: info.Name, Partition: int32(p)}
		if ends.Stable >= newest.Offsets[tp] {
			continue
		}
		if err := t.Holding(ctx, info.Name); err != nil {
			return err
		}
		return t.topicReplaced(fmt.Sprintf("partition %d ends at offset %d, below the %d that the view's frontier speaks of: committed rows are gone", p, ends.Stable, newest.Offsets[tp]))
	}
	return nil
}

// begin starts the history of a view's topic.
func (t *Task) begin(number uint64, info log.TopicInfo) error {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	state := log.TableState{State: log.OK, ID: info.ID, From: make([]int64, len(info.Ends))}
	t.fresh, t.said, t.terms = true, nil, nil
	t.own = log.Frontier{Number: number, Incarnation: binary.BigEndian.Uint64(b[:]), Offsets: log.Offsets{}, Tables: map[string]log.TableState{info.Name: state}}
	for p := range info.Ends {
		t.own.Offsets[log.TopicPartition{Topic: info.Name, Partition: int32(p)}] = info.Ends[p].Stable
	}
	return nil
}
