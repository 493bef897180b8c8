package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// admin implements log.Admin.
type admin struct{ l *Log }

// settle bounds the wait for what was done to a topic to be seen everywhere.
const settle = 30 * time.Second

// Ensure verifies what is there before it makes anything.
func (a *admin) Ensure(ctx context.Context, specs ...log.TopicSpec) ([]log.TopicInfo, error) {
	wanted, err := a.wants(specs)
	if err != nil {
		return nil, err
	}
	there, err := a.describe(ctx, names(wanted)...)
	if err != nil {
		return nil, err
	}
	missing, err := a.verify(wanted, there)
	a.l.compareFree(wanted, there)
	if err != nil || len(missing) == 0 {
		return order(wanted, there), err
	}
	for _, w := range missing {
		if err := a.create(ctx, w); err != nil {
			return nil, err
		}
	}
	if there, err = a.await(ctx, wanted); err != nil {
		return nil, err
	}
	_, err = a.verify(wanted, there) // somebody else may have been faster
	return order(wanted, there), err
}

func (a *admin) wants(specs []log.TopicSpec) ([]want, error) {
	wanted := make([]want, len(specs))
	for i := range specs {
		var err error
		if wanted[i], err = a.l.want(specs[i]); err != nil {
			return nil, err
		}
	}
	return wanted, nil
}

func names(wanted []want) []string {
	names := make([]string, len(wanted))
	for i := range wanted {
		names[i] = wanted[i].Name
	}
	return names
}

func order(wanted []want, there map[string]present) []log.TopicInfo {
	infos := make([]log.TopicInfo, len(wanted))
	for i := range wanted {
		infos[i] = there[wanted[i].Name].TopicInfo
	}
	return infos
}

// verify compares, and gives the topics to be made.
func (a *admin) verify(wanted []want, there map[string]present) (missing []want, err error) {
	for _, w := range wanted {
		p, ok := there[w.Name]
		switch {
		case !ok && w.ID != "":
			return nil, &pipeline.Refusal{
				Code: log.RefuseMissing, Where: w.Name, What: "the topic with id " + w.ID + " does not exist any more",
				Mend: "evert reset SOURCE --resnapshot --yes",
			}
		case !ok && a.l.cfg.Topics.Manage != Create:
			return nil, &pipeline.Refusal{Code: log.RefuseMissing, Where: w.Name, What: "the topic does not exist, and kafka.topics.manage does not let it be made", Mend: a.createCommand(w)}
		case !ok:
			missing = append(missing, w)
			continue
		}
		if err := a.l.compare(w, p); err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// createCommand prints what makes w.
func (a *admin) createCommand(w want) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d", a.l.cfg.Brokers[0], w.Name, w.Partitions)
	if rf := a.l.cfg.Topics.ReplicationFactor; rf > 0 {
		fmt.Fprintf(&b, " --replication-factor %d", rf)
	}
	for _, k := range sortedKeys(w.settings) {
		fmt.Fprintf(&b, " --config %s=%s", k, w.settings[k])
	}
	return b.String()
}

// await asks until all topics are there with all their leaders.
func (a *admin) await(ctx context.Context, wanted []want) (map[string]present, error) {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for n := 1; ; n++ {
		there, err := a.describe(ctx, names(wanted)...)
		switch {
		case err == nil && len(there) >= len(distinct(names(wanted))):
			return there, nil
		case pipeline.CodeOf(err) == codeDenied:
			return nil, err // waiting gives no right
		}
		if err := pipeline.Pause(ctx, backoff(n)); err != nil {
			return nil, fmt.Errorf("wait for the topics that were made: %w", err)
		}
	}
}

func distinct(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// Topics describes topics; without names, all but Kafka's own.
func (a *admin) Topics(ctx context.Context, names ...string) ([]log.TopicInfo, error) {
	there, err := a.describe(ctx, names...)
	if err != nil {
		return nil, err
	}
	infos := make([]log.TopicInfo, 0, len(there))
	for _, name := range sortedKeys(there) {
		infos = append(infos, there[name].TopicInfo)
	}
	return infos, nil
}

// present is a topic as it is.
type present struct {
	log.TopicInfo
	copies   int // of a partition, the fewest
	settings settings
}

// settings are a topic's settings by Kafka's names: all that hold, and those
// that were given to the topic itself.
type settings struct{ all, own map[string]string }

func (a *admin) describe(ctx context.Context, names ...string) (map[string]present, error) {
	details, err := a.l.admin.ListTopics(ctx, distinct(names)...)
	if isDenied(err) && len(names) > 0 { // which of them, kadm does not say
		if _, named := a.l.describe(ctx, a.l.cl, distinct(names)...); named != nil {
			err = named
		}
	}
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	found := make([]string, 0, len(details))
	for name, d := range details {
		if errors.Is(d.Err, kerr.UnknownTopicOrPartition) || len(names) == 0 && d.IsInternal {
			continue
		}
		if d.Err != nil {
			return nil, fmt.Errorf("describe topic %s: %w", name, a.l.cfg.denied("Describe", d.Err, name))
		}
		found = append(found, name)
	}
	if len(found) == 0 {
		return nil, nil
	}
	slices.Sort(found)
	return a.fill(ctx, details, found)
}

// bounds lists starts and stable ends. Leaders that just moved answer with an
// error for their partitions; they are asked again for a few seconds (K01).
func (a *admin) bounds(ctx context.Context, names []string) (starts, stables kadm.ListedOffsets, err error) {
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		if starts, err = a.l.admin.ListStartOffsets(ctx, names...); err != nil {
			return nil, nil, fmt.Errorf("ask for the starts of topics: %w", a.l.cfg.denied("Describe", err, names...))
		}
		if stables, err = a.l.admin.ListCommittedOffsets(ctx, names...); err != nil {
			return nil, nil, fmt.Errorf("ask for the ends of topics: %w", a.l.cfg.denied("Describe", err, names...))
		}
		if moved := errors.Join(starts.Error(), stables.Error()); !kerr.IsRetriable(moved) || wait > 2*time.Second {
			return starts, stables, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

func (a *admin) fill(ctx context.Context, details kadm.TopicDetails, names []string) (map[string]present, error) {
	settings, err := a.l.settings(ctx, names...)
	if err != nil {
		return nil, err
	}
	starts, stables, err := a.bounds(ctx, names)
	if err != nil {
		return nil, err
	}
	there := make(map[string]present, len(names))
	for _, name := range names {
		p := newPresent(name, details[name], settings[name])
		for i := range p.Ends {
			start, stable := starts[name][int32(i)], stables[name][int32(i)]
			if err := errors.Join(start.Err, stable.Err); err != nil {
				return nil, fmt.Errorf("ask for the bounds of %s/%d: %w", name, i, err)
			}
			p.Ends[i] = log.Ends{Start: start.Offset, Stable: stable.Offset}
		}
		there[name] = p
	}
	return there, nil
}

// settings gives the settings of topics by name.
func (l *Log) settings(ctx context.Context, topics ...string) (map[string]settings, error) {
	configs, err := l.admin.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		refused := l.deniedOf(topics, err, func(topic string) error {
			_, err := l.admin.DescribeTopicConfigs(ctx, topic)
			return err
		})
		return nil, fmt.Errorf("ask for the settings of topics: %w", l.cfg.denied("DescribeConfigs", err, refused...))
	}
	found := make(map[string]settings, len(configs))
	for _, c := range configs {
		if c.Err != nil {
			return nil, fmt.Errorf("ask for the settings of %s: %w", c.Name, l.cfg.denied("DescribeConfigs", c.Err, c.Name))
		}
		s := settings{all: map[string]string{}, own: map[string]string{}}
		for i := range c.Configs {
			s.all[c.Configs[i].Key] = c.Configs[i].MaybeValue()
			if c.Configs[i].Source == kmsg.ConfigSourceDynamicTopicConfig {
				s.own[c.Configs[i].Key] = c.Configs[i].MaybeValue()
			}
		}
		found[c.Name] = s
	}
	return found, nil
}

// soundShare is the part of min.compaction.lag.ms within which a cut is young:
// the rest is for the reading of it, and for clocks that differ.
const soundShare = 0.8

// Sound goes by age, else by what lies above the cut: without a record there,
// nothing below was superseded (K16).
func (a *admin) Sound(ctx context.Context, cut log.Offsets, written time.Time) (bool, error) {
	if len(cut) == 0 {
		return true, nil
	}
	there, err := a.describe(ctx, topicNames(cut)...)
	if err != nil {
		return false, err
	}
	age := time.Since(written)
	young := true
	behind, stables := log.Offsets{}, log.Offsets{} // of the partitions that have grown
	for tp, at := range cut {
		p, ok := there[tp.Topic]
		if !ok || int(tp.Partition) >= len(p.Ends) {
			return false, noTopic(tp)
		}
		if !p.Compact {
			continue // nothing there is superseded, and a reader says what age took before it
		}
		young = young && lasts(age, p.MinLag)
		if stable := p.Ends[tp.Partition].Stable; stable != at {
			behind[tp], stables[tp] = at, stable
		}
	}
	if young || len(behind) == 0 {
		return true, nil
	}
	for tp, at := range behind {
		n := stables[tp] - at
		if n < 0 || at < there[tp.Topic].Ends[tp.Partition].Start || n > 1 && !lasts(age, there[tp.Topic].Retention) {
			return false, nil
		}
	}
	return a.empty(ctx, behind, stables)
}

func lasts(age, limit time.Duration) bool {
	return age < time.Duration(soundShare*float64(limit))
}

// emptyTimeout bounds the search for a record above a cut.
const emptyTimeout = 10 * time.Second

// empty reports whether there is no record in [from, to). Markers of
// transactions and aborted records take offsets too. What was deleted leaves no
// trace when its tombstone goes, so a range of more than a marker must be
// younger than the tombstones become (K17). If reading takes too long, there
// may be a record.
func (a *admin) empty(ctx context.Context, from, to log.Offsets) (bool, error) {
	r, err := a.l.Reader(ctx)
	if err != nil {
		return false, err
	}
	defer r.Close()
	if err := r.Assign(from); err != nil {
		return false, err
	}
	r.Limit(to)
	bounded, cancel := context.WithTimeout(ctx, emptyTimeout)
	defer cancel()
	for {
		f, err := r.Next(bounded, 1)
		switch {
		case err == io.EOF:
			return true, nil
		case len(f.Records) > 0 || errors.Is(err, log.ErrGap) || bounded.Err() != nil && ctx.Err() == nil:
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

// Compact is not for clients to ask of Kafka.
func (a *admin) Compact(_ context.Context, topic string) error {
	return fmt.Errorf("compact %s: Kafka compacts when its cleaner likes: %w", topic, errors.ErrUnsupported)
}

// Delete removes topics and waits until they are gone. Those that are not there
// are no error.
func (a *admin) Delete(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	answers, err := a.l.admin.DeleteTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	for name, answer := range answers {
		if answer.Err != nil && !errors.Is(answer.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete topic %s: %w", name, a.l.cfg.denied("Delete", answer.Err, name))
		}
	}
	return a.gone(ctx, names)
}

func (a *admin) gone(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for n := 1; ; n++ {
		left, err := a.l.describe(ctx, a.l.cl, names...)
		if err == nil && len(left) == 0 {
			return nil
		}
		if err := pipeline.Pause(ctx, backoff(n)); err != nil {
			return fmt.Errorf("wait until the topics are gone: %w", err)
		}
	}
}
