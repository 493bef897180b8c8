package sinks

import (
	"context"
	"errors"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/commands"
	"github.com/evertdb/evert/cmd/evert/letters"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
)

// sinkCommands are what people may do with the sinks of a daemon.
type sinkCommands struct {
	letters.OfLog
	sinks *Sinks
}

// Commands are what people may do with the sinks; nil if there are none.
func (s *Sinks) Commands() api.SinkCommands {
	if s == nil {
		return nil
	}
	return &sinkCommands{letters.OfLog{Config: s.File, Log: s.Topics, Registry: s.Registry}, s}
}

// Command implements api.SinkCommands.
func (c *sinkCommands) Command(ctx context.Context, sink string, command api.SinkCommand) (api.SinkAnswer, error) {
	s := c.sinks.byName[sink]
	if s == nil {
		return api.SinkAnswer{}, api.NoSink(sink, c.Config.SinkNames())
	}
	if at, ok := s.stoppedAt(); ok && command.Command == "skip" && command.Place == "" {
		command.Place = deadletter.PlaceText(at)
	}
	answer, err := commands.ToSink(ctx, c.Config, c.Log, sink, command)
	if err != nil {
		return answer, err
	}
	if command.Command != "pause" && s.unpark() {
		answer.Changed = true
	}
	return answer, c.sinks.Control.Look(ctx)
}

// Replay implements api.SinkCommands.
func (c *sinkCommands) Replay(ctx context.Context, sink string, r api.Replay) (api.Replayed, error) {
	done := api.Replayed{Done: r.Yes, Letters: []api.ReplayedLetter{}}
	s := c.sinks.byName[sink]
	if s == nil {
		return done, api.NoSink(sink, c.Config.SinkNames())
	}
	chosen, err := c.choose(ctx, sink, r)
	if err != nil || len(chosen) == 0 {
		return done, err
	}
	if r.Yes {
		if err := c.journal(ctx, sink, r); err != nil {
			return done, err
		}
	}
	err = s.whileResting(ctx, func(ctx context.Context) {
		for part := range parts(chosen) {
			some, failed := s.replay(ctx, part, r.Yes)
			done.Letters = append(done.Letters, some...)
			if err = failed; err != nil {
				return
			}
		}
	})
	return done, err
}

// choose gives the letters that a replay is about.
func (c *sinkCommands) choose(ctx context.Context, sink string, r api.Replay) (chosen []deadletter.Letter, err error) {
	all, err := deadletter.List(ctx, c.Log, deadletter.Topic(c.Config.Name, sink))
	for _, l := range all {
		if (r.Code == "" || r.Code == l.Code) && (r.Place == "" || r.Place == deadletter.PlaceText(l.Place)) {
			chosen = append(chosen, l)
		}
	}
	if err == nil && len(chosen) == 0 && r.Place != "" {
		err = &pipeline.Refusal{Code: api.CodeNoLetter, Where: "sink " + sink, What: "there is no dead letter of " + r.Place, Mend: "evert dlq list " + sink}
	}
	return chosen, err
}

// journal notes that letters are replayed, and by whom.
func (c *sinkCommands) journal(ctx context.Context, sink string, r api.Replay) error {
	_, err := control.Change(ctx, c.Log, c.Config.Name, control.Entry{Command: "replay", Sink: sink, Place: r.Place, By: r.By}, func(*control.Sink) error { return nil })
	return errors.Join(err, c.sinks.Control.Look(ctx))
}

// What is delivered once more goes in parts, whose records lie in memory.
const (
	partLetters = 1000
	partBytes   = 32 << 20
)

// parts cuts letters into parts, in their order.
func parts(all []deadletter.Letter) func(yield func([]deadletter.Letter) bool) {
	return func(yield func([]deadletter.Letter) bool) {
		for len(all) > 0 {
			n, bytes := 0, 0
			for n < len(all) && n < partLetters && (n == 0 || bytes+all[n].Bytes <= partBytes) {
				bytes += all[n].Bytes
				n++
			}
			if !yield(all[:n]) {
				return
			}
			all = all[n:]
		}
	}
}

// replay delivers some letters once more, and takes off what counts no more. The
// sink rests meanwhile.
func (s *Sink) replay(ctx context.Context, letters []deadletter.Letter, yes bool) ([]api.ReplayedLetter, error) {
	places, err := s.placesOf(ctx, letters)
	if err != nil {
		return nil, err
	}
	var outcomes map[deliver.Place]deliver.Outcome
	rejected, err := s.queue.Replaying(func() (err error) {
		outcomes, err = s.Delivery.Replay(ctx, places, !yes)
		return err
	})
	if err != nil {
		return nil, err
	}
	var done []api.ReplayedLetter
	var off []string
	for i := range letters {
		l := &letters[i]
		one := outcomeOf(l, outcomes[l.Place], rejected[l.Place], yes)
		if yes && (one.Outcome == "delivered" || one.Outcome == "newer") {
			off = append(off, l.ID)
		}
		done = append(done, one)
	}
	return done, s.queue.Forget(ctx, off...)
}

// placesOf gives the places of letters that come from a topic as it is: in one
// that was made anew, other records stand there.
func (s *Sink) placesOf(ctx context.Context, letters []deadletter.Letter) (places []deliver.Place, err error) {
	infos, err := s.sinks.Topics.Admin().Topics(ctx, s.place.Topics...)
	if err != nil {
		return nil, err
	}
	id := map[string]string{}
	for _, info := range infos {
		id[info.Name] = info.ID
	}
	for i := range letters {
		if has, ok := id[letters[i].Place.Topic]; ok && letters[i].OfTopic() == has {
			places = append(places, letters[i].Place)
		}
	}
	return places, nil
}

func outcomeOf(l *deadletter.Letter, o deliver.Outcome, rejected, yes bool) api.ReplayedLetter {
	one := api.ReplayedLetter{Place: deadletter.PlaceText(l.Place), Outcome: string(o)}
	switch {
	case rejected:
		one.Outcome, one.What = "rejected", "the system does not take it; it stays"
	case o == deliver.Delivered && !yes:
		one.Outcome, one.What = "deliver", ""
	case o == deliver.Newer || o == "":
		one.Outcome, one.What = string(deliver.Newer), "a newer record of the row was delivered in its turn, or will be"
	case o == deliver.Unreadable:
		one.What = "the record cannot be read; it stays"
	case o == deliver.Ahead:
		one.What = "the sink has not passed it yet; it stays"
	}
	return one
}
