package capture

import (
	"context"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// announce makes tables known before their first row: their topics are claimed
// together, then made or verified one by one.
func (s *Sink) announce(ctx context.Context, tables []*schema.Table) error {
	topics := make([]string, 0, len(tables))
	for _, t := range tables {
		topics = append(topics, s.wanted(t).Name)
	}
	if err := s.own(ctx, topics...); err != nil {
		return err
	}
	for _, t := range tables {
		if _, err := s.table(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// wanted is what the topic of a table has to be.
func (s *Sink) wanted(t *schema.Table) Topic {
	want := s.Topic(t)
	if want.Name == "" {
		want.Name = log.TableTopic(s.Prefix, t.Schema, t.Name)
	}
	return want
}

// own records that this source alone writes topics, before it does. A topic of
// another source or deployment is refused, and so is one that holds records of
// nobody knows whom: they would be taken for rows that are gone.
func (s *Sink) own(ctx context.Context, topics ...string) error {
	topics = slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return s.owned[t] })
	if len(topics) == 0 {
		return nil
	}
	owners, err := log.Owners(ctx, s.Log, topics...)
	if err != nil {
		return err
	}
	if err := s.checkForeign(ctx, owners, topics); err != nil {
		return err
	}
	if err := log.Claim(ctx, s.Log, s.owner(), topics...); err != nil {
		return s.named(err)
	}
	for _, t := range topics {
		s.owned[t] = true
	}
	return nil
}

func (s *Sink) owner() log.Owner { return log.Owner{Deployment: s.Deployment, Source: s.Source} }

// checkForeign looks at topics that nobody owns and that no frontier of ours
// speaks of.
func (s *Sink) checkForeign(ctx context.Context, owners map[string]log.Owner, topics []string) error {
	unknown := slices.DeleteFunc(slices.Clone(topics), func(t string) bool {
		_, owned := owners[t]
		_, known := s.next.Tables[t]
		return owned || known
	})
	if len(unknown) == 0 {
		return nil
	}
	infos, err := s.Log.Admin().Topics(ctx, unknown...)
	if err != nil {
		return err
	}
	for i := range infos {
		for _, ends := range infos[i].Ends {
			if ends.Start < ends.Stable {
				return s.foreign(infos[i].Name, ends.Stable)
			}
		}
	}
	return nil
}

func (s *Sink) foreign(topic string, end int64) error {
	return &pipeline.Refusal{Code: log.RefuseForeign, Where: "topic " + topic,
		What: fmt.Sprintf("it holds records up to offset %d that no deployment of Evert is known to have written", end),
		Mend: "topic_prefix: NAME   # below sources." + s.Source + ", for topics of its own; or delete the topic if nobody needs it"}
}
