package intake

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/evertdb/evert/pipeline/log"
)

// Rows reads records of table topics up to a limit. One goroutine uses it.
type Rows struct {
	log.Reader
	Topics   []string
	Patience time.Duration // how long reading may stand still before is asked who is in the way
	// Holding tells who else holds the stable end of a topic, as a refusal that
	// passes; nil: nobody.
	Holding func(ctx context.Context, topic string) error
}

// Next reads on, and asks who is in the way when nothing comes. It is io.EOF at
// the limit, an Anew when records are gone, and a Gone when a topic is.
func (r *Rows) Next(ctx context.Context, max int) (log.Fetch, error) {
	for {
		bounded, cancel := context.WithTimeout(ctx, r.Patience)
		f, err := r.Reader.Next(bounded, max)
		cancel()
		switch {
		case errors.Is(err, log.ErrGap):
			return f, &Anew{"records that were not read are gone: it was away for longer than its topics keep tombstones", false}
		case errors.Is(err, log.ErrNoTopic):
			return f, &Gone{r.of(), err.Error()}
		case err == nil || errors.Is(err, io.EOF) || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return f, err
		}
		for _, topic := range r.Topics {
			if err := r.Holding(ctx, topic); err != nil {
				return f, err
			}
		}
	}
}

func (r *Rows) of() string {
	if len(r.Topics) == 1 {
		return r.Topics[0]
	}
	return "of a table"
}
