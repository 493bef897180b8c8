package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
)

// The codes of refusals. Each stops the sink.
const (
	// CodeUnwritten: a letter could not be kept.
	CodeUnwritten pipeline.Code = "DEAD_LETTER_UNWRITTEN"
	// CodeFull: there are as many letters as there may be.
	CodeFull pipeline.Code = "DEAD_LETTERS_FULL"
	// CodeSkipped is the reason of a letter that a person had skipped.
	CodeSkipped pipeline.Code = "SKIPPED"
)

// Config says whose letters are kept, and how many.
type Config struct {
	Log        log.Log
	Deployment string
	Sink       string
	Keep       bool          // the policy is dead_letter; without it only what is skipped is kept
	Most       int           // letters; 100,000 if 0
	Retention  time.Duration // 7 days if 0
	// Skips reports whether a person had a record skipped; nil: none is.
	Skips func(deliver.Place) bool
	Kept  func(deliver.Rejection) // is told of each letter that was kept; nil: nobody
	Now   func() time.Time        // time.Now if nil
}

// A Queue implements deliver.Rejects over the topic of a sink. Its methods may be
// called from any goroutine.
type Queue struct {
	config Config
	topic  string

	mu     sync.Mutex
	writer log.Writer // nil while nothing was written
	known  map[string]known
	ids    map[string]string // of the topics that the letters in hand come from
	swept  time.Time
	again  map[deliver.Place]bool // rejected in the replay that goes on; nil: none does
}

// known is what is remembered of a letter.
type known struct {
	at      time.Time
	attempt int
}

// New makes a queue; nothing happens before it is used.
func New(c Config) *Queue {
	c.Most = cmp.Or(c.Most, 100_000)
	c.Retention = cmp.Or(c.Retention, 7*24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Skips == nil {
		c.Skips = func(deliver.Place) bool { return false }
	}
	if c.Kept == nil {
		c.Kept = func(deliver.Rejection) {}
	}
	return &Queue{config: c, topic: Topic(c.Deployment, c.Sink)}
}

// Reject implements deliver.Rejects: it is a deliver.Halt where the sink stops.
func (q *Queue) Reject(ctx context.Context, rejected ...deliver.Rejection) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.again != nil {
		for _, r := range rejected {
			q.again[r.Place] = true
		}
		return q.keep(ctx, rejected, true)
	}
	keep, halt := q.decide(rejected)
	if err := q.keep(ctx, keep, false); err != nil {
		return err
	}
	return halt
}

// decide gives the rejections that become letters, and why the sink stops behind
// them.
func (q *Queue) decide(rejected []deliver.Rejection) (keep []deliver.Rejection, halt error) {
	if q.config.Keep {
		return rejected, nil
	}
	for _, r := range rejected {
		if !q.config.Skips(r.Place) {
			return keep, &deliver.Halt{Place: r.Place, Err: r.Why}
		}
		why := *r.Why
		why.Code, why.What = CodeSkipped, fmt.Sprintf("skipped by hand: %s [%s]", r.Why.What, r.Why.Code)
		keep = append(keep, deliver.Rejection{Place: r.Place, Why: &why})
	}
	return keep, nil
}

// Replaying runs fn, in which letters are delivered once more, and gives those that
// were rejected once more: they stay, with one more attempt, whatever the policy.
// One at a time does it, while the sink rests.
func (q *Queue) Replaying(fn func() error) (rejected map[deliver.Place]bool, err error) {
	q.mu.Lock()
	q.again = map[deliver.Place]bool{}
	q.mu.Unlock()
	err = fn()
	q.mu.Lock()
	defer q.mu.Unlock()
	rejected, q.again = q.again, nil
	return rejected, err
}

// keep writes the letters that are not there yet; with again, all of them.
func (q *Queue) keep(ctx context.Context, rejected []deliver.Rejection, again bool) error {
	if len(rejected) == 0 {
		return nil
	}
	if err := q.open(ctx, rejected[0].Place.Topic); err != nil {
		return q.unwritten(err)
	}
	if err := q.sweep(ctx); err != nil {
		return q.unwritten(err)
	}
	clear(q.ids) // a topic may have been made anew since: other records stand at its places
	for _, r := range rejected {
		id, err := q.id(ctx, r.Place)
		if err != nil {
			return q.unwritten(err)
		}
		had, is := q.known[id]
		switch {
		case is && !again:
			continue
		case !is && len(q.known) >= q.config.Most:
			return q.full()
		}
		if err := q.write(ctx, id, r, had.attempt+1); err != nil {
			return q.unwritten(err)
		}
	}
	return nil
}

// write commits one letter.
func (q *Queue) write(ctx context.Context, id string, r deliver.Rejection, attempt int) error {
	l := Letter{ID: id, Place: r.Place, Code: r.Why.Code, What: r.Why.What, Sink: q.config.Sink, At: q.config.Now(), Attempt: attempt, Held: Superseded}
	found, ok, err := fetch(ctx, q.config.Log, r.Place)
	switch {
	case err != nil:
		return fmt.Errorf("read the record again: %w", err)
	case ok:
		l.Held, l.Key, l.Value, l.Headers, l.Incarnation = Record, found.Key, found.Value, found.Headers, incarnationOf(&found)
		if found.Value == nil {
			l.Held = Tombstone
		}
	}
	if err := q.commit(ctx, l.record(q.topic)); err != nil {
		return err
	}
	q.known[id] = known{l.At, attempt}
	q.config.Kept(r)
	return nil
}

// commit writes records durably. After an error the writer is made anew, which
// finds out what became of them.
func (q *Queue) commit(ctx context.Context, records ...log.Record) error {
	err := q.writer.Append(ctx, records...)
	if err == nil {
		_, err = q.writer.Flush(ctx)
	}
	if err == nil {
		err = q.writer.Commit(ctx, nil)
	}
	if err != nil {
		q.forget()
	}
	return err
}

// open takes the writer, makes the topic, and reads what is in it.
func (q *Queue) open(ctx context.Context, from string) error {
	if q.writer != nil {
		return nil
	}
	w, err := q.config.Log.Writer(ctx, "dlq."+q.topic)
	if err != nil {
		return err
	}
	q.writer = w
	if err := q.prepare(ctx, from); err != nil {
		q.forget()
		return err
	}
	return nil
}

// recordSlack is more than a letter's headers take, but for those of its record.
const recordSlack = 64 << 10

func (q *Queue) prepare(ctx context.Context, from string) error {
	l, spec := q.config.Log, log.TopicSpec{Name: q.topic, Partitions: 1, Compact: true}
	names := []string{q.topic}
	if from != "" {
		names = append(names, from)
	}
	infos, err := l.Admin().Topics(ctx, names...)
	if err != nil {
		return err
	}
	for i := range infos {
		if n := infos[i].MaxBytes; n > 0 && infos[i].Name == from {
			spec.MaxBytes = max(spec.MaxBytes, n+recordSlack)
		} else if infos[i].Name == q.topic {
			spec.MaxBytes = max(spec.MaxBytes, n)
		}
	}
	if err := log.Claim(ctx, l, log.Owner{Deployment: q.config.Deployment, Source: log.SinkOwner(q.config.Sink)}, q.topic); err != nil {
		return err
	}
	if _, err := l.Admin().Ensure(ctx, spec); err != nil {
		return err
	}
	q.known, q.ids = map[string]known{}, map[string]string{}
	return scan(ctx, l, q.topic, func(r *log.Record) error {
		if r.Value == nil {
			delete(q.known, string(r.Key))
			return nil
		}
		letter, err := parse(r)
		q.known[letter.ID] = known{letter.At, letter.Attempt}
		return err
	})
}

// id names the letter of a place.
func (q *Queue) id(ctx context.Context, p deliver.Place) (string, error) {
	if known, ok := q.ids[p.Topic]; ok {
		return idOf(p, known), nil
	}
	infos, err := q.config.Log.Admin().Topics(ctx, p.Topic)
	if err != nil {
		return "", err
	}
	if len(infos) == 0 {
		return "", fmt.Errorf("topic %s is gone", p.Topic)
	}
	q.ids[p.Topic] = infos[0].ID
	return idOf(p, infos[0].ID), nil
}

// sweepPeriod is how often is looked for letters beyond the retention.
const sweepPeriod = time.Hour

// Sweep removes letters that are older than the retention (X21). It makes no
// topic where there is none.
func (q *Queue) Sweep(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	infos, err := q.config.Log.Admin().Topics(ctx, q.topic)
	if err != nil || len(infos) == 0 {
		return err
	}
	if err := q.open(ctx, ""); err != nil {
		return q.unwritten(err)
	}
	q.swept = time.Time{}
	return q.sweep(ctx)
}

func (q *Queue) sweep(ctx context.Context) error {
	now := q.config.Now()
	if now.Sub(q.swept) < sweepPeriod {
		return nil
	}
	q.swept = now
	var old []string
	for id, k := range q.known {
		if now.Sub(k.at) > q.config.Retention {
			old = append(old, id)
		}
	}
	return q.bury(ctx, old)
}

// Forget removes letters: they were delivered, or count no more.
func (q *Queue) Forget(ctx context.Context, ids ...string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	if err := q.open(ctx, ""); err != nil {
		return q.unwritten(err)
	}
	if err := q.bury(ctx, ids); err != nil {
		return q.unwritten(err)
	}
	return nil
}

// buryBatch is how many letters one commit removes.
const buryBatch = 1000

func (q *Queue) bury(ctx context.Context, ids []string) error {
	for len(ids) > 0 {
		n := min(buryBatch, len(ids))
		records := make([]log.Record, n)
		for i, id := range ids[:n] {
			records[i] = log.Record{TopicPartition: log.TopicPartition{Topic: q.topic}, Key: []byte(id)}
		}
		if err := q.commit(ctx, records...); err != nil {
			return err
		}
		for _, id := range ids[:n] {
			delete(q.known, id)
		}
		ids = ids[n:]
	}
	return nil
}

// Count gives how many letters there are; known is false while nobody looked.
func (q *Queue) Count() (n int, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.known), q.known != nil
}

// Close frees the queue. It may be used again.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.forget()
}

func (q *Queue) forget() error {
	if q.writer == nil {
		return nil
	}
	w := q.writer
	q.writer = nil
	return w.Close()
}

func (q *Queue) unwritten(err error) error {
	var r *pipeline.Refusal
	if errors.As(err, &r) && r.Code == CodeFull || errors.Is(err, context.Canceled) {
		return err
	}
	return &pipeline.Refusal{Code: CodeUnwritten, Where: "sink " + q.config.Sink + ", topic " + q.topic,
		What: "a row that the system does not take cannot be kept there, so the sink stops before it", Err: err,
		Mend: "let Evert write the topic; the sink tries again by itself"}
}

func (q *Queue) full() error {
	return &pipeline.Refusal{Code: CodeFull, Where: "sink " + q.config.Sink + ", topic " + q.topic,
		What: fmt.Sprintf("%d dead letters lie there, as many as there may be, and one more row is not taken", len(q.known)),
		Mend: "evert dlq list " + q.config.Sink + "   # why they were not taken; then: evert dlq replay " + q.config.Sink + " --yes, or a larger max_dead_letters below the sink"}
}
