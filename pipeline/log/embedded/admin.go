package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// admin is a log.Admin.
type admin struct{ *Log }

// copyAgain is the mend where records are gone. A log does not know its sources;
// who runs one writes its name for SOURCE.
const copyAgain = "evert reset SOURCE --resnapshot --yes"

var errReadOnly = errors.New("the log is open for reading only")

// Ensure makes all that is missing in one step, or nothing.
func (a admin) Ensure(ctx context.Context, specs ...log.TopicSpec) ([]log.TopicInfo, error) {
	release, err := a.change(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var made []*topic
	for _, s := range specs {
		t, err := a.verify(s)
		if err != nil {
			return nil, err
		}
		if t == nil && !slices.ContainsFunc(made, func(m *topic) bool { return m.Name == s.Name }) {
			made = append(made, a.make(complete(s)))
		}
	}
	if err := a.call(func() error { return a.store(made) }); err != nil {
		return nil, err
	}
	for _, s := range specs {
		if err := a.call(func() error { return a.keepFor(s) }); err != nil {
			return nil, err
		}
	}
	if len(made) > 0 {
		a.groups.rebalance()
	}
	return a.describe(specs), nil
}

func (a admin) describe(specs []log.TopicSpec) []log.TopicInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	infos := make([]log.TopicInfo, 0, len(specs))
	for _, s := range specs {
		infos = append(infos, a.topics[s.Name].info())
	}
	return infos
}

// change begins a change of topics; only one runs at a time.
func (a admin) change(ctx context.Context) (release func(), err error) {
	if a.cfg.ReadOnly {
		return nil, errReadOnly
	}
	done, err := a.use()
	if err != nil {
		return nil, err
	}
	select {
	case a.making <- struct{}{}:
		return func() { <-a.making; done() }, nil
	case <-ctx.Done():
		done()
		return nil, ctx.Err()
	}
}

// verify compares a wanted topic with the one that is there; nil if there is
// none and one may be made.
func (a admin) verify(want log.TopicSpec) (*topic, error) {
	a.mu.Lock()
	have := a.topics[want.Name]
	a.mu.Unlock()
	if have == nil {
		return nil, mayMake(want)
	}
	return have, compare(have.TopicSpec, want)
}

func mayMake(want log.TopicSpec) error {
	switch {
	case want.Name == "" || log.Sanitize(want.Name) != want.Name || want.Partitions < 0:
		return &pipeline.Refusal{Code: log.RefuseSpec, Where: want.Name, What: "a topic cannot have this name or number of partitions", Mend: "name it with letters, digits, dots, dashes and underscores"}
	case want.ID != "": // K13
		return &pipeline.Refusal{
			Code: log.RefuseMissing, Where: want.Name, What: "the topic is gone, and records were read from it before",
			Mend: copyAgain,
		}
	}
	return nil
}

// compare refuses what differs where it matters. Stronger settings than wanted
// are let be.
func compare(have, wanted log.TopicSpec) error {
	want := complete(wanted)
	refuse := func(code pipeline.Code, what string, args ...any) error {
		return &pipeline.Refusal{
			Code: code, Where: have.Name, What: fmt.Sprintf(what, args...),
			Mend: "evert reset SOURCE --yes   # begins its topics anew; or configure the topic as it is",
		}
	}
	switch {
	case want.ID != "" && want.ID != have.ID:
		return &pipeline.Refusal{
			Code: log.RefuseReplaced, Where: have.Name, What: fmt.Sprintf("another topic lies under this name: its identity is %s, it was %s", have.ID, want.ID),
			Mend: copyAgain,
		}
	case want.Partitions != have.Partitions:
		return refuse(log.RefusePartitions, "the topic has %d partitions, wanted are %d", have.Partitions, want.Partitions)
	case want.Compact != have.Compact:
		return refuse(log.RefusePolicy, "the topic's cleanup policy is %s, wanted is %s", policy(have), policy(want))
	case have.Compact && shorter(have.Retention, want.Retention):
		return refuse(log.RefuseSettings, "the topic's retention is %s, wanted is %s", have.Retention, want.Retention)
	case have.Compact && have.MinLag < want.MinLag:
		return refuse(log.RefuseSettings, "the topic compacts after %s, wanted is %s", have.MinLag, want.MinLag)
	case have.MaxBytes < want.MaxBytes:
		return refuse(log.RefuseSettings, "the topic takes records of %d bytes, wanted are %d", have.MaxBytes, want.MaxBytes)
	}
	return nil
}

func policy(s log.TopicSpec) string {
	if s.Compact {
		return "compact"
	}
	return "delete"
}

// shorter compares retentions, where a negative one is for ever.
func shorter(have, want time.Duration) bool {
	return have >= 0 && (want < 0 || have < want)
}

// make gives a new topic the next partition ids.
func (a admin) make(s log.TopicSpec) *topic {
	s.ID = newTopicID()
	ids := make([]uint32, s.Partitions)
	for i := range ids {
		a.nextID++ // only while holding making
		ids[i] = a.nextID
	}
	return newTopic(s, ids)
}

// store makes new topics durable, then known.
func (a admin) store(made []*topic) error {
	if len(made) == 0 {
		return nil
	}
	b := a.db.NewBatch()
	defer b.Close()
	for _, t := range made {
		v, err := t.stored()
		if err != nil {
			return err
		}
		if err := b.Set(topicKey(t.Name), v, nil); err != nil {
			return err
		}
	}
	next := binary.BigEndian.AppendUint32(nil, a.nextID)
	if err := errors.Join(b.Set([]byte{kindNextID}, next, nil), a.db.Apply(b, pebble.Sync)); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range made {
		a.topics[t.Name] = t
	}
	return nil
}

// keepFor changes how long the records of a topic without compaction stay, where that
// is asked for: nobody else can, and no promise rests on it.
func (a admin) keepFor(s log.TopicSpec) error {
	a.mu.Lock()
	t := a.topics[s.Name]
	changed := *t
	a.mu.Unlock()
	if t.Compact || s.Retention == 0 || s.Retention == t.Retention {
		return nil
	}
	changed.Retention = s.Retention
	v, err := changed.stored()
	if err != nil {
		return err
	}
	if err := a.db.Set(topicKey(s.Name), v, pebble.Sync); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t.Retention = s.Retention
	return nil
}

// Topics describes topics; see log.Admin.
func (a admin) Topics(_ context.Context, names ...string) ([]log.TopicInfo, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.aliveLocked(); err != nil {
		return nil, err
	}
	var infos []log.TopicInfo
	for _, t := range a.sortedTopics() {
		if len(names) == 0 || slices.Contains(names, t.Name) {
			infos = append(infos, t.info())
		}
	}
	return infos, nil
}

// Sound is exact: it knows how far compaction went. A reader sets its Limit
// first and asks then.
func (a admin) Sound(_ context.Context, cut log.Offsets, _ time.Time) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.aliveLocked(); err != nil {
		return false, err
	}
	for tp, to := range cut {
		p := a.partition(tp)
		if p == nil {
			return false, fmt.Errorf("%s: %w", tp, log.ErrNoTopic)
		}
		if to < p.swept || to < p.start || to > p.stable {
			return false, nil
		}
	}
	return true, nil
}

// Compact runs the sweep over a topic and returns when it is done.
func (a admin) Compact(ctx context.Context, name string) error {
	if a.cfg.ReadOnly {
		return errReadOnly
	}
	a.mu.Lock()
	t := a.topics[name]
	a.mu.Unlock()
	if t == nil {
		return fmt.Errorf("%s: %w", name, log.ErrNoTopic)
	}
	return a.sweep.force(ctx, t)
}

// Delete waits until nobody has a commit open on the topics.
func (a admin) Delete(ctx context.Context, names ...string) error {
	release, err := a.change(ctx)
	if err != nil {
		return err
	}
	defer release()
	for _, name := range names {
		t, err := a.retire(ctx, name)
		if err != nil {
			return fmt.Errorf("delete %s: %w", name, err)
		}
		if t != nil {
			if err := a.call(func() error { return a.remove(t) }); err != nil {
				return fmt.Errorf("delete %s: %w", name, err)
			}
		}
	}
	a.groups.rebalance()
	return nil
}

// retire takes a topic out of sight when no commit is open on it.
func (a admin) retire(ctx context.Context, name string) (*topic, error) {
	for {
		a.mu.Lock()
		t, moved := a.topics[name], a.moved
		busy := t != nil && slices.ContainsFunc(t.parts, func(p *partition) bool { return p.owner != nil })
		if t != nil && !busy {
			delete(a.topics, name)
			for _, p := range t.parts {
				p.gone = true
			}
			a.movedLocked()
		}
		a.mu.Unlock()
		if !busy {
			return t, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-a.closing:
			return nil, log.ErrClosed
		}
	}
}

// remove deletes all that lies under a topic's keys.
func (a admin) remove(t *topic) error {
	b := a.db.NewBatch()
	defer b.Close()
	err := b.Delete(topicKey(t.Name), nil)
	for _, p := range t.parts {
		for _, kind := range []byte{kindBlock, kindIndex, kindStable, kindHorizon} {
			err = errors.Join(err, b.DeleteRange(idKey(kind, p.id), idKey(kind, p.id+1), nil))
		}
	}
	err = errors.Join(err, a.forget(b, t.Name))
	return errors.Join(err, a.db.Apply(b, pebble.Sync))
}

// forget deletes the groups' offsets of a topic: they mean nothing in the next
// one of its name (K13).
func (a admin) forget(b *pebble.Batch, topic string) error {
	it, err := a.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindGroup}, UpperBound: []byte{kindGroup + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		group := slices.Index(it.Key(), 0)
		if tp := parseGroupKey(it.Key(), it.Key()[:group+1]); tp.Topic == topic {
			err = errors.Join(err, b.Delete(it.Key(), nil))
		}
	}
	return errors.Join(err, it.Close())
}
