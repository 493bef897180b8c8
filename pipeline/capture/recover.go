package capture

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// recover reads the frontier to its stable end and takes up the newest state. A
// log without a frontier record begins a new incarnation: whatever rows an
// unfinished snapshot left are void. A resume record says more than the frontier
// it follows: it goes on inside a transaction.
func (s *Sink) recover(ctx context.Context) (pipeline.Resume, error) {
	spec := log.TopicSpec{Name: s.frontierTopic(), Partitions: 1, Compact: true}
	infos, err := s.Log.Admin().Ensure(ctx, spec)
	if err != nil {
		return pipeline.Resume{}, s.named(err)
	}
	s.ensured(spec, infos[0])
	// Nobody else writes here, and what older writers left is settled: an open
	// transaction is one of ours that the cluster decided and did not end. What
	// is hidden behind it may be the newest frontier, so nothing is begun anew.
	if err := s.Holding(ctx, s.frontierTopic()); err != nil {
		return pipeline.Resume{}, err
	}
	fold, err := log.ReadFrontier(ctx, s.Log, s.frontierTopic())
	if err != nil {
		return pipeline.Resume{}, err
	}
	newest, ok := fold.Frontier()
	part, partial := fold.Part()
	if !ok {
		return part.Resume, s.begin(newest.Number)
	}
	s.committed, s.next, s.incarnation = newest.Clone(), newest.Clone(), newest.Incarnation
	if partial {
		s.next = part.Clone()
		s.part = 1 // at least; how many there were died with the process
	}
	for topic, state := range s.next.Tables {
		if state.Owed {
			s.owe(topic)
		}
		if state.State == log.Stopped {
			s.stoppedBefore(topic, nil)
		}
	}
	return s.next.Resume, s.checkTopics(ctx, &s.next)
}

// begin starts a new incarnation.
func (s *Sink) begin(number uint64) error {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	s.incarnation = binary.BigEndian.Uint64(b[:])
	s.fresh = true
	s.committed = log.Frontier{Number: number}
	s.next = log.Frontier{Incarnation: s.incarnation, Offsets: log.Offsets{}, Tables: map[string]log.TableState{}}
	return nil
}

// checkTopics refuses table topics that are not the ones the frontier speaks
// of: deleted, made anew, or cut short (K13, K19).
func (s *Sink) checkTopics(ctx context.Context, f *log.Frontier) error {
	names := make([]string, 0, len(f.Tables))
	for topic := range f.Tables {
		names = append(names, topic)
	}
	if len(names) == 0 {
		return nil
	}
	infos, err := s.Log.Admin().Topics(ctx, names...)
	if err != nil {
		return err
	}
	found := map[string]log.TopicInfo{}
	for _, info := range infos {
		found[info.Name] = info
	}
	for topic, state := range f.Tables {
		if state.ID == "" {
			continue // it was given up before it had a topic
		}
		info, ok := found[topic]
		if !ok || info.ID != state.ID {
			return s.topicGone(topic, ok)
		}
		if err := s.checkEnds(ctx, f, info); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sink) topicGone(topic string, exists bool) error {
	what := "the topic is gone, and with it rows that the source will not send again"
	if exists {
		what = "the topic was deleted and made anew; the rows it held are gone"
	}
	return &pipeline.Refusal{Code: "TOPIC_REPLACED", Where: "topic " + topic, What: what,
		Mend: "evert reset " + s.Source + " --resnapshot --yes"}
}

// checkEnds tells a topic that was cut short from one in which a transaction of
// somebody else hides what is committed (K09). Behind that one nothing can be
// looked up: a value that a source does not send would be filled from an older
// row (I5). So the source waits until it is ended.
func (s *Sink) checkEnds(ctx context.Context, f *log.Frontier, info log.TopicInfo) error {
	for p, ends := range info.Ends {
		tp := log.TopicPartition{Topic: info.Name, Partition: int32(p)}
		if ends.Stable < f.Offsets[tp] {
			if err := s.Holding(ctx, info.Name); err != nil {
				return err
			}
			return &pipeline.Refusal{Code: "TOPIC_TRUNCATED", Where: tp.String(),
				What: fmt.Sprintf("the topic ends at offset %d, below the %d that the frontier speaks of: committed rows are gone", ends.Stable, f.Offsets[tp]),
				Mend: "evert reset " + s.Source + " --resnapshot --yes"}
		}
	}
	return nil
}
