package query

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline/state/tuple"
	"github.com/evertdb/evert/schema"
)

// An Event is one thing that a follower of a view is told, in this order:
//
//	reset?           what was told before is void: all rows follow
//	row*             the rows of one cut: {"key": …, "row": …}
//	epoch            the cut is whole; its id is where to go on from
//	(change* epoch)* what an epoch changed, the row being null where it went
//	state            between epochs: the view is live, frozen or stopped
//	error            the stream ends, with the problem
//
// Until its epoch has come, rows and changes are no cut: a follower that applies
// them together at each epoch never shows half a transaction.
type Event struct {
	Name string
	ID   string // of epoch alone
	Data []byte // JSON without line ends
}

// Quiet is the event that says nothing: what was told should reach the follower
// now, for the next event may take long.
const Quiet = ""

// aliveEvery is how often a follower hears something when nothing happens.
const aliveEvery = 15 * time.Second

// checkEvery is the number of rows after which is looked whether a follower who
// is still being told the rows has lost his place already.
const checkEvery = 1000

// Follow tells the rows of a view and then its changes, until ctx ends or emit
// fails. last is the id of the last epoch that the follower saw, or empty: then,
// and when it is not known any more, all rows come first.
func (r *Reader) Follow(ctx context.Context, name string, v View, last string, w Wait, emit func(Event) error) error {
	f := follower{Reader: r, name: name, view: v, feed: v.Feed(), wait: w, emit: emit}
	defer f.feed.watch()()
	if err := f.begin(ctx, last); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := f.step(ctx); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// A follower is one who is told.
type follower struct {
	*Reader
	name  string
	view  View
	feed  *Feed
	wait  Wait
	emit  func(Event) error
	at    Epoch  // told up to here
	state string // that he was told last
}

// begin goes on behind last, or tells all rows.
func (f *follower) begin(ctx context.Context, last string) error {
	if at, ok := parseID(last); ok {
		_, newest, how, _ := f.feed.after(at)
		if how == holds && newest.Version == at.Version && at.Number <= newest.Number {
			f.at = at
			return nil
		}
		if shown, err := f.shows(at); shown || err != nil {
			return err
		}
		if told, err := f.since(ctx, at); told || err != nil {
			return err
		}
	}
	if last != "" {
		if err := f.reset("the changes since the last event are not held any more"); err != nil {
			return err
		}
	}
	return f.rows(ctx)
}

// shows goes on at an epoch that is shown just now, and that the feed may not have
// heard of yet: a daemon that starts over the state of before.
func (f *follower) shows(at Epoch) (bool, error) {
	snap, err := f.view.Snapshot()
	if snap == nil || err != nil {
		return false, err
	}
	defer snap.Close()
	if now := snap.Epoch(); now.Version == at.Version && now.Number == at.Number {
		f.at = now
		return true, f.epoch()
	}
	return false, nil
}

var errMuch = errors.New("more changed than is held")

// since tells what changed behind an epoch that the feed does not hold, as one step to
// the newest one: what the view's topic says, after a restart. It is false if that is
// not known, or more than a feed would hold (I9).
func (f *follower) since(ctx context.Context, at Epoch) (told bool, err error) {
	topic, ok := f.view.(Rememberer)
	snap, err := f.view.Snapshot()
	if snap == nil || err != nil {
		return false, err
	}
	defer snap.Close()
	now := snap.Epoch()
	if !ok || now.Version != at.Version || now.Number < at.Number {
		return false, nil
	}
	changes := map[string]schema.Row{} // by how they begin
	room := f.feed.max
	known, err := topic.Since(ctx, at.Number, func(key schema.Row) error {
		begins := string(snap.Shape().AppendKey(nil, key))
		if room -= 2*len(begins) + epochOverhead; room < 0 {
			return errMuch
		}
		if _, again := changes[begins]; again {
			return nil
		}
		kept := make(schema.Row, len(key))
		for i, v := range key {
			kept[i] = v.Clone()
		}
		changes[begins] = kept
		return nil
	})
	if errors.Is(err, errMuch) || err == nil && !known {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for begins, key := range changes {
		row, err := readRow(snap, key)
		if err != nil {
			return true, err
		}
		if row == nil {
			row = []byte("null")
		}
		if err := f.emit(Event{Name: "change", Data: []byte(`{"key":` + begins + `,"row":` + string(row) + "}")}); err != nil {
			return true, err
		}
	}
	f.at = now
	return true, f.epoch()
}

func (f *follower) reset(why string) error {
	return f.tell("reset", "", map[string]string{"reason": why})
}

// tell emits an event whose data is v.
func (f *follower) tell(name, id string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.emit(Event{Name: name, ID: id, Data: data})
}

// step tells the epochs that have come, and waits if there are none.
func (f *follower) step(ctx context.Context) error {
	changed := f.view.Moved()
	epochs, newest, how, moved := f.feed.after(f.at)
	switch {
	case how == torn:
		if err := f.reset("an epoch was too large to be held, or the view was built anew"); err != nil {
			return err
		}
		return f.rows(ctx)
	case how == slow:
		return tooSlow()
	}
	for i := range epochs {
		if err := f.changes(&epochs[i]); err != nil {
			return err
		}
	}
	if len(epochs) > 0 {
		return nil
	}
	if newest.Number == f.at.Number && newest.At.String() != f.at.At.String() {
		f.at = newest
		return f.epoch()
	}
	if err := f.stateOf(f.view.State()); err != nil {
		return err
	}
	return f.pause(ctx, moved, changed)
}

// pause waits for something to tell.
func (f *follower) pause(ctx context.Context, moved, changed <-chan struct{}) error {
	if err := f.emit(Event{Name: Quiet}); err != nil {
		return err
	}
	alive := time.NewTimer(aliveEvery)
	defer alive.Stop()
	select {
	case <-moved:
	case <-changed:
	case <-alive.C:
		return f.emit(Event{Name: "alive"})
	case <-ctx.Done():
	}
	return nil
}

// changes tells one epoch.
func (f *follower) changes(h *held) error {
	for rest := h.lines; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte{'\n'})
		if err := f.emit(Event{Name: "change", Data: line}); err != nil {
			return err
		}
		rest = after
	}
	f.at = h.Epoch
	return f.epoch()
}

// epoch says that what was told is a cut.
func (f *follower) epoch() error {
	return f.tell("epoch", formatID(f.at), map[string]string{"position": f.at.At.String()})
}

// stateOf tells how the view is, when that is news.
func (f *follower) stateOf(s State) error {
	told := map[string]string{"state": s.Phase.String()}
	if why := stale(s, f.at); why != nil {
		told["code"], told["detail"], told["mend"] = string(why.Code), stated(why).Error(), why.Mend
	}
	now := fmt.Sprint(told)
	if now == f.state || f.state == "" && s.Phase == Live {
		return nil
	}
	f.state = now
	return f.tell("state", "", told)
}

// rows tells all rows of the newest epoch.
func (f *follower) rows(ctx context.Context) error {
	snap, err := f.await(ctx, f.name, f.view, f.wait)
	if err != nil {
		return err
	}
	defer snap.Close()
	shape, at := snap.Shape(), snap.Epoch()
	low := begin(0)
	c, err := snap.Scan(low, tuple.PrefixEnd(nil, low), false)
	if err != nil {
		return err
	}
	defer c.Close()
	var line []byte
	var row schema.Row
	for n := 1; c.Next(); n++ {
		if row, err = tuple.ReadRow(c.Value(), row); err != nil || len(row) != len(shape.Columns) {
			return damaged("a row cannot be read")
		}
		line = appendWhole(line[:0], shape, row)
		if err := f.emit(Event{Name: "row", Data: line}); err != nil {
			return err
		}
		if n%checkEvery == 0 {
			if _, _, how, _ := f.feed.after(at); how == slow {
				return tooSlow()
			}
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	f.at = at
	return f.epoch()
}

// appendWhole writes a row with its key, as a change of nothing into it.
func appendWhole(dst []byte, s *Shape, row schema.Row) []byte {
	dst = append(dst, `{"key":`...)
	dst = appendPicked(dst, s, row)
	dst = append(dst, `,"row":`...)
	return append(s.AppendRow(dst, row), '}')
}

func appendPicked(dst []byte, s *Shape, row schema.Row) []byte {
	key := make(schema.Row, len(s.Key))
	for i, c := range s.Key {
		key[i] = row[c]
	}
	return s.AppendKey(dst, key)
}

// formatID names an epoch for one who comes again.
func formatID(e Epoch) string { return fmt.Sprintf("%016x-%d", e.Version, e.Number) }

func parseID(text string) (e Epoch, ok bool) {
	version, number, _ := strings.Cut(text, "-")
	v, err1 := strconv.ParseUint(version, 16, 64)
	n, err2 := strconv.ParseUint(number, 10, 64)
	return Epoch{Version: v, Number: n}, err1 == nil && err2 == nil
}
