package log

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// OwnersTopic says who writes which topic, for all deployments that share a log.
const OwnersTopic = "__evert.topics"

// An Owner writes a topic, alone: a source of a deployment, a view or a sink of it.
type Owner struct {
	Deployment string `json:"deployment"`
	Source     string `json:"source"` // of a view or sink: see ViewOwner, SinkOwner
}

// String names o for people.
func (o Owner) String() string {
	kind, name := "source", o.Source
	if view, ok := o.view(); ok {
		kind, name = "view", view
	} else if sink, ok := o.sink(); ok {
		kind, name = "sink", sink
	}
	return fmt.Sprintf("%s %s of deployment %s", kind, name, o.Deployment)
}

// ViewOwner gives the name under which a view stands among the owners, where
// sources have theirs: a source's name holds no dot.
func ViewOwner(view string) string { return viewPrefix + view }

// SinkOwner is the same for a sink, which owns the topic of what was rejected.
func SinkOwner(sink string) string { return sinkPrefix + sink }

const (
	viewPrefix = "views."
	sinkPrefix = "sinks."
)

func (o Owner) sink() (name string, ok bool) { return strings.CutPrefix(o.Source, sinkPrefix) }

func (o Owner) view() (name string, ok bool) { return strings.CutPrefix(o.Source, viewPrefix) }

// The record of a claim, in the compacted topic OwnersTopic of one partition:
//
//	key:   topic NUL deployment NUL source
//	value: {"topic", "deployment", "source", "since"}, or a tombstone
//
// Each owner has a key of its own and writes it once, so that compaction leaves
// the order of claims as it was: the first one counts. Who comes second finds
// that out when it reads its own claim back, and takes it back.
//
//	A reads: nobody      B reads: nobody
//	A claims, offset 5   B claims, offset 7
//	A reads 5: mine      B reads 5, 7: A's, takes 7 back
type claim struct {
	Topic string `json:"topic"`
	Owner
	Since time.Time `json:"since"`
}

func claimKey(topic string, who Owner) []byte {
	return []byte(topic + "\x00" + who.Deployment + "\x00" + who.Source)
}

// owners are the claims on each topic, by key.
type owners map[string]map[string]held

type held struct {
	owner  Owner
	offset int64
}

// of gives who owns a topic.
func (o owners) of(topic string) (Owner, bool) {
	claims := o[topic]
	if len(claims) == 0 {
		return Owner{}, false
	}
	first := slices.MinFunc(mapValues(claims), func(a, b held) int { return cmp.Compare(a.offset, b.offset) })
	return first.owner, true
}

func mapValues(m map[string]held) []held {
	list := make([]held, 0, len(m))
	for _, h := range m {
		list = append(list, h)
	}
	return list
}

// apply takes in the next record. A claim that is written again keeps its place
// only if it was not taken back meanwhile.
func (o owners) apply(r *Record) error {
	if r.Value == nil {
		for _, claims := range o {
			delete(claims, string(r.Key))
		}
		return nil
	}
	var c claim
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return fmt.Errorf("%s: the record at offset %d is no claim: %w", r.TopicPartition, r.Offset, err)
	}
	if o[c.Topic] == nil {
		o[c.Topic] = map[string]held{}
	}
	o[c.Topic][string(r.Key)] = held{c.Owner, r.Offset}
	return nil
}

// Owners gives who owns each of the topics; those of nobody are missing.
func Owners(ctx context.Context, l Log, topics ...string) (map[string]Owner, error) {
	all, _, err := readOwners(ctx, l)
	if err != nil {
		return nil, err
	}
	found := map[string]Owner{}
	for _, topic := range topics {
		if who, ok := all.of(topic); ok {
			found[topic] = who
		}
	}
	return found, nil
}

// Owned gives the topics of an owner, in order.
func Owned(ctx context.Context, l Log, who Owner) (topics []string, err error) {
	all, _, err := readOwners(ctx, l)
	if err != nil {
		return nil, err
	}
	for _, topic := range slices.Sorted(maps.Keys(all)) {
		if owner, ok := all.of(topic); ok && owner == who {
			topics = append(topics, topic)
		}
	}
	return topics, nil
}

// readOwners reads all claims, up to the stable end that it gives.
func readOwners(ctx context.Context, l Log) (owners, int64, error) {
	all := owners{}
	infos, err := l.Admin().Topics(ctx, OwnersTopic)
	if err != nil || len(infos) == 0 {
		return all, 0, err
	}
	ends := infos[0].Ends[0]
	if err := Scan(ctx, l, TopicPartition{Topic: OwnersTopic}, ends, all.apply); err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", OwnersTopic, err)
	}
	return all, ends.Stable, nil
}

// Claim records that who writes topics, durably, before it does. It is a Refusal
// if one of them belongs to another, and then none is claimed. It may be called
// again, and by one goroutine for an owner at a time.
func Claim(ctx context.Context, l Log, who Owner, topics ...string) error {
	all, _, err := readOwners(ctx, l)
	if err != nil {
		return err
	}
	wanted, err := unclaimed(all, who, topics)
	if err != nil || len(wanted) == 0 {
		return err
	}
	next, err := writeClaims(ctx, l, who, wanted, true)
	if err != nil {
		return err
	}
	if all, err = awaitOwners(ctx, l, next); err != nil {
		return err
	}
	if _, lost := unclaimed(all, who, wanted); lost != nil {
		return cmp.Or(giveUp(ctx, l, who, wanted), lost)
	}
	return nil
}

// CheckOwner is a Refusal if one of topics belongs to another than who.
func CheckOwner(ctx context.Context, l Log, who Owner, topics ...string) error {
	all, _, err := readOwners(ctx, l)
	if err == nil {
		_, err = unclaimed(all, who, topics)
	}
	return err
}

// unclaimed gives those of topics that belong to nobody yet.
func unclaimed(all owners, who Owner, topics []string) (wanted []string, err error) {
	for _, topic := range topics {
		switch owner, ok := all.of(topic); {
		case !ok:
			wanted = append(wanted, topic)
		case owner != who:
			return nil, notYours(topic, owner, who)
		}
	}
	return wanted, nil
}

func notYours(topic string, owner, who Owner) error {
	mend := "topic_prefix: NAME   # below sources." + who.Source + ", for topics of its own; or, where the file of deployment " + owner.Deployment + " lies: evert reset " + owner.Source + " --yes"
	if _, ok := who.view(); ok {
		mend = "give the view another name in the file"
	} else if _, ok := who.sink(); ok {
		mend = "give the sink another name in the file"
	}
	return &pipeline.Refusal{Code: RefuseOwned, Where: "topic " + topic, What: fmt.Sprintf("it belongs to %s, and %s must not write it", owner, who), Mend: mend}
}

// Release records that who writes topics no more. Those that are not its own are
// left as they are.
func Release(ctx context.Context, l Log, who Owner, topics ...string) error {
	all, _, err := readOwners(ctx, l)
	if err != nil {
		return err
	}
	topics = slices.DeleteFunc(slices.Clone(topics), func(topic string) bool {
		_, ok := all[topic][string(claimKey(topic, who))]
		return !ok
	})
	if len(topics) == 0 {
		return nil
	}
	return giveUp(ctx, l, who, topics)
}

// giveUp takes claims back, and returns when others see it.
func giveUp(ctx context.Context, l Log, who Owner, topics []string) error {
	next, err := writeClaims(ctx, l, who, topics, false)
	if err == nil {
		_, err = awaitOwners(ctx, l, next)
	}
	return err
}

// writeClaims commits a claim of each topic, or takes it back, and gives the
// offset that lies behind.
func writeClaims(ctx context.Context, l Log, who Owner, topics []string, take bool) (int64, error) {
	if _, err := l.Admin().Ensure(ctx, TopicSpec{Name: OwnersTopic, Partitions: 1, Compact: true}); err != nil {
		return 0, err
	}
	w, err := l.Writer(ctx, "topics."+who.Source)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	tp, recs := TopicPartition{Topic: OwnersTopic}, []Record{}
	for _, topic := range topics {
		r := Record{TopicPartition: tp, Key: claimKey(topic, who)}
		if take {
			if r.Value, err = json.Marshal(claim{topic, who, time.Now().UTC().Truncate(time.Second)}); err != nil {
				return 0, err
			}
		}
		recs = append(recs, r)
	}
	if err := w.Append(ctx, recs...); err != nil {
		return 0, fmt.Errorf("append to %s: %w", OwnersTopic, err)
	}
	next, err := w.Flush(ctx)
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", OwnersTopic, err)
	}
	return next[tp], w.Commit(ctx, nil)
}

// ownersPeriod is how often is asked whether a claim is visible: another's open
// claim before it holds the stable end for the moment that its commit takes.
const ownersPeriod = 20 * time.Millisecond

// awaitOwners reads all claims once they reach an offset.
func awaitOwners(ctx context.Context, l Log, next int64) (owners, error) {
	for {
		all, stable, err := readOwners(ctx, l)
		if err != nil || stable >= next {
			return all, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(ownersPeriod):
		}
	}
}
