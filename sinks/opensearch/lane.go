package opensearch

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"net/url"
	"slices"

	"github.com/evertdb/evert/pipeline/deliver"
)

// A lane carries the operations of some documents, those whose ids have its hash,
// in order and one request at a time: operations of one document are never in two
// requests at once (S03). Of its two bulks one is filled by the target's caller
// while the other is sent by the lane's goroutine.
type lane struct {
	filled *bulk      // owned by the caller
	spare  *bulk      // nil while the goroutine has it
	work   chan *bulk // closed by the target
	back   chan sent
}

// sent is a bulk that the goroutine gives back.
type sent struct {
	b   *bulk
	err error
}

func newLane(seed maphash.Seed) *lane {
	return &lane{filled: newBulk(seed), spare: newBulk(seed), work: make(chan *bulk), back: make(chan sent, 1)}
}

// run sends what is handed over, until work is closed.
func (l *lane) run(ctx context.Context, w *writing) {
	for b := range l.work {
		l.back <- sent{b, w.deliver(ctx, b)}
	}
}

// hand gives what was filled to the goroutine, once it is done with what it has.
func (l *lane) hand(ctx context.Context) error {
	if err := l.settle(ctx); err != nil || len(l.filled.ops) == 0 {
		return err
	}
	l.work <- l.filled // the goroutine waits for it
	l.filled, l.spare = l.spare, nil
	return nil
}

// isIdle reports whether the goroutine has nothing to do.
func (l *lane) isIdle() bool { return l.spare != nil || len(l.back) > 0 }

// settle waits until all that was handed over is durable.
func (l *lane) settle(ctx context.Context) error {
	if l.spare != nil {
		return nil
	}
	select {
	case r := <-l.back:
		r.b.reset()
		l.spare = r.b
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writing is what the lanes share.
type writing struct {
	c       *client
	path    string // of the writer's alias
	pace    *pace
	columns mapping // of the index, for what is told of rejected rows
}

func newWriting(c *client, alias string, columns mapping) *writing {
	path := "/" + url.PathEscape(alias) + "/_bulk?require_alias=true&" + bulkFields
	return &writing{c: c, path: path, pace: newPace(c.o.BulkRows, c.o.BulkBytes), columns: columns}
}

// errGone: nothing is written to any more; the target finds out why.
var errGone = errors.New("the index, or the alias to write it through, is gone")

// deliver returns when every operation had its effect, or was rejected and may be
// passed over. Everything in it may be sent again at any time.
func (w *writing) deliver(ctx context.Context, b *bulk) error {
	todo, wait := b.counted(), w.c.patience()
	most := len(todo) // of the next request, where larger ones were too large or malformed
	for len(todo) > 0 {
		n := min(w.pace.cut(todo), most)
		left, a, err := w.try(ctx, b, todo[:n])
		switch {
		case errors.Is(err, errTooLarge) && n > 1:
			most = n / 2
			continue
		case err != nil:
			return err
		case len(left) == 0:
			wait.progress()
			w.pace.fine()
			most = min(2*most, len(todo))
		default:
			if len(left) < n {
				wait.progress()
			}
			w.pace.busy()
			if err := wait.again(ctx, a.answer, a.err); err != nil {
				return err
			}
		}
		todo = slices.Concat(a.next, left, todo[n:])
	}
	return nil
}

// errTooLarge: a request is not taken as a whole, and each of its halves may be.
var errTooLarge = errors.New("the request is too large")

// attempt is why operations are left.
type attempt struct {
	answer *answer
	err    error
	next   []*op // removals of documents whose newer row was rejected, and raised replays
}

// try sends one request and gives what has to be sent again, in order.
func (w *writing) try(ctx context.Context, b *bulk, ops []*op) (left []*op, why attempt, err error) {
	body := b.body(ops)
	a, err := w.c.send(ctx, http.MethodPost, w.path, asLines, body)
	if err != nil {
		return ops, attempt{err: err}, nil // it may have had its effect, and has it once (S03)
	}
	switch {
	case a.ok():
	case a.busy():
		return ops, attempt{answer: a}, nil
	case a.status == http.StatusRequestEntityTooLarge || a.status == http.StatusBadRequest:
		removals, err := w.whole(ctx, a, b, ops, len(body))
		return nil, attempt{next: removals}, err
	case a.status == http.StatusNotFound:
		return nil, attempt{}, errGone
	default:
		return nil, attempt{}, w.c.o.wrong("write documents", a)
	}
	items, err := itemsOf(a.body, len(ops))
	if err != nil {
		return ops, attempt{err: err}, nil
	}
	left, next, err := w.examine(ctx, b, ops, items)
	return left, attempt{answer: &answer{status: http.StatusTooManyRequests, body: a.body}, next: next}, err
}

// whole is about a request that is refused as a whole (S06): more than one row are
// sent in halves; one alone is too much, or malformed, or the answer is about
// something else.
func (w *writing) whole(ctx context.Context, a *answer, b *bulk, ops []*op, bytes int) ([]*op, error) {
	tooLarge := a.status == http.StatusRequestEntityTooLarge
	if tooLarge && len(ops) > 1 {
		w.pace.tooLarge(bytes)
	}
	if len(ops) > 1 {
		return nil, errTooLarge
	}
	why := a.failure()
	if tooLarge {
		why = &failure{Type: "larger than the cluster's http.max_content_length"}
	} else {
		switch ops[0].judge(&item{Status: a.status, Error: why}) {
		case refused:
		case gone:
			return nil, errGone
		default:
			return nil, w.c.o.wrong("write documents", a)
		}
	}
	return w.reject(ctx, b, []*op{ops[0]}, []*failure{why})
}

// reject hands rows over that the server does not take. Where the sink goes on
// without them, documents of earlier rows of theirs are not true any more.
func (w *writing) reject(ctx context.Context, b *bulk, ops []*op, why []*failure) (removals []*op, err error) {
	rejected := make([]deliver.Rejection, len(ops))
	for i, o := range ops {
		rejected[i] = w.c.o.rejection(o, why[i], w.columns)
	}
	if err := w.c.o.Rejects.Reject(ctx, rejected...); err != nil {
		return nil, err
	}
	for _, o := range ops {
		if !o.delete {
			removals = append(removals, b.removal(o))
		}
	}
	return removals, nil
}

// examine looks at every operation of an answer (S01), and gives what has to be sent
// again and what comes next.
func (w *writing) examine(ctx context.Context, b *bulk, ops []*op, items []item) (left, next []*op, err error) {
	var rejected []*op
	var why []*failure
	for i, o := range ops {
		switch it := &items[i]; o.judge(it) {
		case done, kept:
		case outrun:
			current, _ := it.current()
			next = append(next, b.raise(o, current+1))
		case again:
			left = append(left, o)
		case refused:
			rejected, why = append(rejected, o), append(why, it.Error)
		case gone:
			return nil, nil, errGone
		default:
			return nil, nil, w.c.o.unknown(it)
		}
	}
	if len(rejected) > 0 {
		var removals []*op
		removals, err = w.reject(ctx, b, rejected, why)
		next = append(next, removals...)
	}
	return left, next, err
}
