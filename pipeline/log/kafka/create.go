package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// create makes a topic. A cluster that had brokers for all copies, and counts too few
// of them now, gets time for them to come back (K01).
func (a *admin) create(ctx context.Context, w want) error {
	limit, cancel := context.WithTimeout(ctx, a.l.cfg.RetryFor)
	defer cancel()
	for n := 1; ; n++ {
		err := a.createOnce(ctx, w)
		if !errors.Is(err, kerr.InvalidReplicationFactor) || !a.hadBrokers() || pipeline.Pause(limit, backoff(n)) != nil {
			return err
		}
	}
}

// hadBrokers reports whether there were as many brokers as copies are wanted; where
// the cluster alone knows how many those are, it is taken for so.
func (a *admin) hadBrokers() bool { return int(a.l.cfg.Topics.ReplicationFactor) <= a.l.info.Brokers }

// createOnce makes a topic. Managed clusters refuse settings or values that others
// take: one that is the user's own is left out, and said; one that correctness
// needs is a refusal, and then nothing is made.
func (a *admin) createOnce(ctx context.Context, w want) error {
	return a.agree(w, func(settings map[string]*string) (kadm.CreateTopicResponse, error) {
		return a.l.admin.CreateTopic(ctx, w.Partitions, cmp.Or(a.l.cfg.Topics.ReplicationFactor, -1), settings, w.Name)
	})
}

// try asks whether create would do, and makes nothing.
func (a *admin) try(ctx context.Context, w want) error {
	return a.agree(w, func(settings map[string]*string) (kadm.CreateTopicResponse, error) {
		all, err := a.l.admin.ValidateCreateTopics(ctx, w.Partitions, cmp.Or(a.l.cfg.Topics.ReplicationFactor, -1), settings, w.Name)
		return all[w.Name], cmp.Or(err, all[w.Name].Err)
	})
}

// agree asks with fewer and fewer settings until there is an answer to all of
// them.
func (a *admin) agree(w want, ask func(settings map[string]*string) (kadm.CreateTopicResponse, error)) error {
	settings := make(map[string]*string, len(w.settings))
	for k, v := range w.settings {
		settings[k] = &v
	}
	for {
		answer, err := ask(settings)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			return nil
		}
		if !errors.Is(err, kerr.InvalidConfig) && !errors.Is(err, kerr.PolicyViolation) {
			return a.notCreated(w, err)
		}
		refused := w.named(answer.ErrMessage, settings)
		if len(refused) == 0 {
			return a.needed(w, answer.ErrMessage, err)
		}
		for _, k := range refused {
			a.l.find(leftOut(w.Name, k, *settings[k], answer.ErrMessage))
			delete(settings, k)
		}
	}
}

// named gives the free settings that the cluster's words speak of. If they speak
// of none, and of none that is needed either, all free ones are meant.
func (w *want) named(words string, settings map[string]*string) (free []string) {
	found := ""
	for k := range settings {
		if len(k) > len(found) && strings.Contains(words, k) {
			found = k
		}
	}
	switch {
	case found != "" && !w.needs(found):
		return []string{found}
	case found != "":
		return nil
	}
	for _, k := range sortedKeys(settings) {
		if !w.needs(k) {
			free = append(free, k)
		}
	}
	return free
}

func leftOut(topic, setting, value, words string) *pipeline.Refusal {
	return &pipeline.Refusal{
		Code: codeLeftOut, Where: topic, What: fmt.Sprintf("the cluster refuses the setting %s=%s, so the topic is made without it", setting, value), Err: said(words),
		Mend: "remove " + setting + " from the settings of topics, or give it a value that the cluster takes",
	}
}

// said is what the cluster says of a refusal.
func said(words string) error {
	if words == "" {
		return nil
	}
	return errors.New(strings.ReplaceAll(words, "\n", " "))
}

// needed refuses a topic that the cluster does not take with what correctness
// needs.
func (a *admin) needed(w want, words string, err error) error {
	r := &pipeline.Refusal{Code: codeNeeded, Where: w.Name, What: "the cluster refuses a setting that the topic needs", Err: cmp.Or(said(words), err),
		Mend: a.createCommand(w) + "   # as somebody whom the cluster lets; then kafka: {topics: {manage: verify}}"}
	for k, v := range w.settings {
		if w.needs(k) && strings.Contains(words, k) {
			r.What = fmt.Sprintf("the cluster refuses %s=%s, which the topic needs", k, v)
			if atLeastAsGood(k) {
				r.Mend = fmt.Sprintf("kafka: {topics: {config: {%s: \"VALUE\"}}}   # one that the cluster takes, and not below %s", k, w.kafka()[k])
			}
		}
	}
	return r
}

// notCreated says why a topic was not made, whatever its settings.
func (a *admin) notCreated(w want, err error) error {
	if errors.Is(err, kerr.InvalidReplicationFactor) {
		return &pipeline.Refusal{
			Code: log.RefuseSpec, Where: w.Name, Err: err,
			What: fmt.Sprintf("the cluster makes no topic with %s copies of each partition; the number of its brokers is %d", a.copies(), a.l.info.Brokers),
			Mend: fmt.Sprintf("kafka: {topics: {replication_factor: %d}}", min(a.l.info.Brokers, 3)),
		}
	}
	return fmt.Errorf("create topic %s: %w", w.Name, a.l.cfg.denied("Create", err, w.Name))
}

func (a *admin) copies() string {
	if n := a.l.cfg.Topics.ReplicationFactor; n != 0 {
		return strconv.Itoa(int(n))
	}
	return "its default number of"
}

// find tells what is not as the file says, and stops nothing.
func (l *Log) find(r *pipeline.Refusal) {
	if f := l.cfg.Events.Finding; f != nil {
		f(r)
	}
}

// Try says of each topic whether Ensure would find or make it as it has to be,
// and makes none. Findings go to Events, refusals are joined.
func (l *Log) Try(ctx context.Context, specs ...log.TopicSpec) error {
	a := &admin{l}
	wanted, err := a.wants(specs)
	if err != nil {
		return err
	}
	there, err := a.describe(ctx, names(wanted)...)
	if err != nil {
		return err
	}
	l.compareFree(wanted, there)
	for _, w := range wanted {
		missing, wrong := a.verify([]want{w}, there)
		if wrong == nil && len(missing) > 0 {
			wrong = a.try(ctx, w)
		}
		err = errors.Join(err, wrong)
	}
	return err
}
