package query

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// Config bounds reading (I9), and says what sources there are.
type Config struct {
	Clocks      map[string]Clock // by source
	Cursors     int              // paged readings open at one time; 1000 if 0
	CursorTTL   time.Duration    // how long one lives unused; 1 min if 0
	WaitTimeout time.Duration    // the longest wait; 30 s if 0
	PageBytes   int              // of the rows of one answer; 16 MiB if 0
}

// A Reader answers reads of any view. Its methods may be called from any
// goroutine.
type Reader struct {
	config Config
	leases leases
}

// NewReader makes a reader; Close ends its cursors.
func NewReader(c Config) *Reader {
	setDefault(&c.Cursors, 1000)
	setDefault(&c.CursorTTL, time.Minute)
	setDefault(&c.WaitTimeout, 30*time.Second)
	setDefault(&c.PageBytes, 16<<20)
	return &Reader{config: c, leases: leases{max: c.Cursors, ttl: c.CursorTTL, byID: map[string]*lease{}}}
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// An Answer is what was read, and of what time.
type Answer struct {
	Rows   [][]byte // each a JSON object
	Cursor string   // of the next page; empty if this was the last one
	Epoch  Epoch
	// Stale is why the view does not go on; nil while it does.
	Stale *pipeline.Refusal
}

// Row reads the row with a key, which has one segment per key column, as a path
// has them; see ParseKey.
func (r *Reader) Row(ctx context.Context, name string, v View, key []string, w Wait) (a Answer, err error) {
	snap, err := r.await(ctx, name, v, w)
	if err != nil {
		return a, err
	}
	defer snap.Close()
	a.Epoch, a.Stale = snap.Epoch(), stale(v.State(), snap.Epoch())
	values, err := snap.Shape().ParseKey(key)
	if err != nil {
		return a, err
	}
	row, err := readRow(snap, values)
	if err != nil {
		return a, err
	}
	if row == nil {
		return a, noRow()
	}
	a.Rows = [][]byte{row}
	return a, nil
}

// ParseKey reads the segments of a key: one text per column, as filters write
// values; \N is NULL, and one backslash more before an N that follows nothing
// else stands for itself (\\N is the text \N).
func (s *Shape) ParseKey(segments []string) (schema.Row, error) {
	if len(segments) != len(s.Key) {
		return nil, badRequest("the key of the view has other columns than the path has segments",
			"write one percent-encoded segment for each of "+strings.Join(s.names(s.Key), ", "))
	}
	row := make(schema.Row, len(segments))
	for i, text := range segments {
		slashes, isN := strings.CutSuffix(text, "N")
		if isN = isN && slashes != "" && strings.Trim(slashes, `\`) == ""; isN {
			text = text[1:]
		}
		if isN && text == "N" {
			continue // NULL
		}
		v, err := s.parse(s.Key[i], text)
		if err != nil {
			return nil, err
		}
		row[i] = v
	}
	return row, nil
}

// stale is why what is read does not go on; nil if it does.
func stale(s State, at Epoch) *pipeline.Refusal {
	stands := s.Phase == Frozen || s.Phase == Stopped
	switch {
	case stands && s.Why != nil:
		return s.Why
	case at.Old:
		return ofBefore()
	case !stands:
		return nil
	}
	return &pipeline.Refusal{Code: CodeNotReady, What: "the view is " + s.Phase.String(), Mend: "evert status"}
}

// Rows reads many rows: those that the parameters of a URL ask for, from the
// first page on or behind a cursor.
func (r *Reader) Rows(ctx context.Context, name string, v View, q url.Values, w Wait) (a Answer, err error) {
	if cursor := q.Get("cursor"); cursor != "" {
		return r.nextPage(name, v, q, cursor, w)
	}
	snap, err := r.await(ctx, name, v, w)
	if err != nil {
		return a, err
	}
	a, kept, err := r.firstPage(name, snap, q)
	if !kept {
		_ = snap.Close()
	}
	a.Stale = stale(v.State(), a.Epoch)
	return a, err
}

// firstPage reads a page from a snapshot; kept says that a lease holds it now.
func (r *Reader) firstPage(name string, snap Snapshot, q url.Values) (a Answer, kept bool, err error) {
	shape := snap.Shape()
	req, err := parseRequest(shape, q)
	if err != nil {
		return a, false, err
	}
	p, err := makePlan(shape, &req)
	if err != nil {
		return a, false, err
	}
	read, err := (&scanner{snap: snap, shape: shape, plan: p}).readPage(req.limit, r.config.PageBytes)
	if err != nil {
		return a, false, err
	}
	a.Rows, a.Epoch = read.rows, snap.Epoch()
	if read.more {
		a.Cursor = r.leases.add(&lease{view: name, asked: asked(q), snap: snap, plan: p}, read.next)
		return a, true, nil
	}
	return a, false, nil
}

// asked is what of a URL the pages of one reading have in common.
func asked(q url.Values) string {
	common := url.Values{}
	for name, texts := range q {
		switch name {
		case "cursor", "limit", "wait_for", "timeout":
		default:
			common[name] = texts
		}
	}
	return common.Encode()
}

// nextPage goes on behind a cursor, over the snapshot of its first page.
func (r *Reader) nextPage(name string, v View, q url.Values, cursor string, w Wait) (a Answer, err error) {
	limit, err := parseLimit(q.Get("limit"))
	if err != nil {
		return a, err
	}
	l, page, err := r.leases.find(name, cursor)
	if err != nil {
		return a, err
	}
	if now := asked(q); now != "" && now != l.asked {
		return a, badRequest("the cursor belongs to other filters or another order", "send the cursor with the parameters of its first page, or with none")
	}
	if a, err = r.readOn(l, page, limit); err != nil {
		return a, err
	}
	a.Stale = stale(v.State(), a.Epoch)
	return a, r.heldTo(a.Epoch.At, w)
}

// heldTo refuses a cut that lies before what a reader wants to see: a cursor goes
// on with that of its first page.
func (r *Reader) heldTo(at Vector, w Wait) error {
	wants, err := r.wants(w.For)
	if err != nil {
		return err
	}
	if ok, err := reached(at, wants); ok || err != nil {
		return err
	}
	return badRequest("the cursor goes on with the cut of its first page, which lies before the position of wait_for", "leave out cursor to read anew, or leave out wait_for")
}

// readOn reads a page of a lease.
func (r *Reader) readOn(l *lease, page, limit int) (a Answer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, ok := l.placeOf(page)
	if !ok {
		return a, cursorGone()
	}
	read, err := (&scanner{snap: l.snap, shape: l.snap.Shape(), plan: l.plan, at: from}).readPage(limit, r.config.PageBytes)
	if err != nil {
		return a, err
	}
	a.Rows, a.Epoch = read.rows, l.snap.Epoch()
	if read.more {
		l.note(page, read.next)
		a.Cursor = l.cursor(page + 1)
	}
	return a, nil
}

// PageBytes is how many bytes of rows an answer may have.
func (r *Reader) PageBytes() int { return r.config.PageBytes }

// Snapshot gives the newest epoch that has reached what w wants; the caller closes
// it.
func (r *Reader) Snapshot(ctx context.Context, name string, v View, w Wait) (Snapshot, error) {
	return r.await(ctx, name, v, w)
}

// Drop ends the cursors of a view, before its state goes.
func (r *Reader) Drop(name string) { r.leases.close(name) }

// Close ends all cursors. What is read afterwards has none.
func (r *Reader) Close() { r.leases.close("") }
