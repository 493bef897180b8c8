package commands

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/outlets"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/control"
	"github.com/evertdb/evert/pipeline/deliver/deadletter"
	"github.com/evertdb/evert/pipeline/log"
)

// errSame says that what is commanded holds already.
var errSame = errors.New("it is so already")

// ToSink writes a command into the control topic.
func ToSink(ctx context.Context, c *configs.Config, l log.Log, sink string, command api.SinkCommand) (api.SinkAnswer, error) {
	if c.Sinks[sink] == nil {
		return api.SinkAnswer{}, api.NoSink(sink, c.SinkNames())
	}
	if command.Command == "skip" {
		place, err := deadletter.ParsePlace(command.Place)
		if err != nil {
			return api.SinkAnswer{}, &pipeline.Refusal{Code: api.CodeBadRequest, Where: "sink " + sink, What: "which record to skip is not said", Err: err,
				Mend: "evert skip " + sink + " --place TOPIC/PARTITION/OFFSET   # the message of the sink names it"}
		}
		if topics := outlets.TopicsOf(c, c.Sinks[sink]); !slices.Contains(topics, place.Topic) {
			return api.SinkAnswer{}, &pipeline.Refusal{Code: api.CodeBadRequest, Where: "sink " + sink, What: "it delivers nothing of topic " + place.Topic + ", so that no record of it can be skipped",
				Mend: "evert skip " + sink + " --place TOPIC/PARTITION/OFFSET   # of " + strings.Join(topics, ", ")}
		}
		command.Place = deadletter.PlaceText(place) // however it was written: records are compared by that
	}
	given := control.Given{At: time.Now().UTC().Truncate(time.Millisecond), By: command.By}
	holds, err := control.Change(ctx, l, c.Name, control.Entry{Command: command.Command, Sink: sink, Place: command.Place, By: command.By}, func(s *control.Sink) error {
		return applyCommand(s, command, given)
	})
	answer := api.SinkAnswer{Sink: sink, Paused: holds.Paused, Skipped: command.Place, Changed: err == nil}
	if errors.Is(err, errSame) {
		err = nil
	}
	return answer, err
}

func applyCommand(s *control.Sink, command api.SinkCommand, given control.Given) error {
	switch command.Command {
	case "pause":
		if s.Paused != nil {
			return errSame
		}
		s.Paused = &given
	case "resume":
		if s.Paused == nil {
			return errSame
		}
		s.Paused = nil
	case "skip":
		if s.IsSkipped(command.Place) {
			return errSame
		}
		s.Skip(command.Place, given)
	default:
		return &pipeline.Refusal{Code: api.CodeBadRequest, What: "there is no such command to a sink", Mend: "use the `evert` of the same version as the daemon"}
	}
	return nil
}
