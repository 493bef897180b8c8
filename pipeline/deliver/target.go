package deliver

import (
	"context"

	"github.com/evertdb/evert/pipeline"
)

// A Target is an outside system that rows are delivered to: a pipeline.Sink that
// can begin anew. See the package's page for what it gets, and what is seen when.
//
// One goroutine uses it. One that returned an error is closed and made anew.
type Target interface {
	pipeline.Sink

	// Renew gives up what is held, durably: from then on Open, also in another
	// process, gives the zero Resume, and what is written goes beside what readers
	// see, until the first Commit at a whole place. What an earlier fill left
	// beside is dropped. It is called instead of Open, on a target of its own.
	Renew(ctx context.Context) error
}

// A Renewal is the error of a Source or Target that cannot go on with what the
// target holds: it has to be filled anew.
type Renewal struct {
	Why string // a sentence without a full stop; no row value

	moved bool // something happened to the topic: that is no sign of a loop
	quiet bool // it held nothing that anybody saw
}

func (r *Renewal) Error() string { return "has to be filled anew: " + r.Why }

// VersionOf orders the changes of one row of a target, as Place.Version does: by
// their rank, where they have one.
func VersionOf(topic string, c *pipeline.Change) int64 {
	if c.Rank > 0 {
		return int64(c.Rank) << 8
	}
	return PlaceOf(topic, c).Version()
}

// A Place is where a change stands in the log.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// PlaceIn gives the place of a change that came from one of topics.
func PlaceIn(topics []string, c *pipeline.Change) Place { return PlaceOf(topics[c.Topic], c) }

// PlaceOf gives the place of a change of topic.
func PlaceOf(topic string, c *pipeline.Change) Place {
	return Place{Topic: topic, Partition: c.Partition, Offset: int64(c.Offset)}
}

// Version orders the records of one key: it is above 0, and grows with the
// offset. Between two versions lie 255 others, for what a person writes over a
// document and a repair over that.
func (p Place) Version() int64 { return (p.Offset + 1) << 8 }
