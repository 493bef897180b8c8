package deliver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/state/store"
)

// An OldRows says where a sink keeps what it has given to its target, so that
// changes come with their old rows. It is a cache of the log: when it is lost, the
// target is filled anew.
type OldRows struct {
	Dir     string // a folder of the sink's own
	Options store.Options
	Sorter  func() (dataflow.Sorter, error) // of the rows that a step changes
	Most    int64                           // bytes that it may occupy; more stop the sink (I9)

	// Repeats: the target tells of changes, and cannot take back what it told. A step
	// that was cut off is given again as it was, event for event, before anything else.
	Repeats bool
}

// CodeOldRows: the old rows that a sink keeps have no room.
const CodeOldRows pipeline.Code = "SINK_OLD_ROWS"

// The collections of the store. A key is collection:2 partition:4 and the key of the
// record; that of a row that may have been given has the number of its try before
// the partition.
//
//	given    the newest record of each key, up to the place that the target has
//	step     the newest record of each key that the step in progress changes
//	perhaps  steps that were cut off: what a target that is not atomic may hold of them
//
//	gather ─► sorter ─► step, durable ─► the target gets it ─► it commits ─► given
//
// The progress names two places: the one of given, and the one that step leads to.
// The target is at one of them, or the store is not its own.
const (
	given   = 1
	step    = 2
	perhaps = 3
)

// old is the store of a sink while it runs. The goroutine of the pump owns it.
type old struct {
	*store.Store
	config *OldRows
	at, to []byte // places; nil: none
	tried  bool   // perhaps is not empty
}

// openOld opens what was given to a target that is at a place. A target that
// begins gets an empty one; fresh, or it cannot have been told of a step. One of another
// place is worth nothing. It waits for no disk once ctx has ended.
func openOld(ctx context.Context, c *Config, from pipeline.Resume, fresh bool) (*old, error) {
	o := &old{config: c.OldRows}
	id := store.Identity{Deployment: c.Deployment, View: "sink " + c.Name}
	if from.IsZero() && (fresh || !c.OldRows.Repeats) {
		if err := store.Remove(o.config.Dir, o.config.Options); err != nil {
			return nil, err
		}
	}
	var err error
	options := o.config.Options
	options.Ending = ctx.Done()
	if o.Store, err = store.Open(o.config.Dir, id, options); err != nil {
		return nil, lostIfDamaged(err)
	}
	if o.at, o.to, err = parsePlaces(o.Progress()); err == nil {
		err = o.settle(c, from)
	}
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// lost says that the store does not know what the target was given.
func lost(why string) error { return &Renewal{Why: why, moved: true} }

func lostIfDamaged(err error) error {
	if errors.Is(err, store.ErrDamaged) || pipeline.CodeOf(err) == store.RefuseOther {
		return lost("the rows that it was given are damaged: " + err.Error())
	}
	return err
}

// settle brings the store to the place of the target.
func (o *old) settle(c *Config, from pipeline.Resume) error {
	switch place := string(from.State); {
	case from.IsZero() && len(o.at) == 0 && o.repeats(c):
		return nil // of a fill that was cut off
	case from.IsZero():
		return o.clear()
	case len(o.to) > 0 && place == string(o.to):
		return o.fold()
	case len(o.at) == 0 || place != string(o.at):
	case c.OldRows.Repeats:
		return nil
	case c.Atomic:
		return o.dropStep()
	default:
		return o.doubt()
	}
	return lost("the rows that it was given last are not known here")
}

// repeats reports whether a step was cut off that was on its way to a target of the
// definition.
func (o *old) repeats(c *Config) bool {
	if !c.OldRows.Repeats || len(o.to) == 0 {
		return false
	}
	to, err := parseStanding(o.to, c.Topics)
	return err == nil && to.definition == c.Definition
}

// clear forgets everything, for a target that begins.
func (o *old) clear() error {
	return o.epoch(nil, nil, func(e *store.Epoch) error {
		for _, c := range []uint16{given, step, perhaps} {
			if err := each(e, c, 0, func(key, _ []byte) error { return e.Delete(key) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropStep forgets a step of which the target holds nothing.
func (o *old) dropStep() error {
	return o.epoch(o.at, nil, func(e *store.Epoch) error {
		return each(e, step, 0, func(key, _ []byte) error { return e.Delete(key) })
	})
}

// doubt keeps what the target may hold of a step that was cut off.
func (o *old) doubt() error {
	number := o.Epoch()
	err := o.epoch(o.at, nil, func(e *store.Epoch) error {
		return each(e, step, 0, func(key, value []byte) error {
			doubtful := binary.BigEndian.AppendUint64(inCollection(nil, perhaps), number)
			return errors.Join(e.Put(append(doubtful, key[collectionBytes:]...), value), e.Delete(key))
		})
	})
	if err != nil {
		return err
	}
	return o.read(func(e *store.Epoch) error {
		return each(e, perhaps, 1, func([]byte, []byte) error { o.tried = true; return nil })
	})
}

// stage takes what a step changes, durably: before the target gets any of it.
func (o *old) stage(changed dataflow.Cursor, to []byte) error {
	err := o.epoch(o.at, to, func(e *store.Epoch) error {
		for changed.Next() {
			if err := e.Put(append(inCollection(nil, step), changed.Key()...), changed.Value()); err != nil {
				return err
			}
		}
		return changed.Err()
	})
	if err != nil {
		return err
	}
	if stats := o.Stats(); int64(stats.DiskBytes+stats.MemoryBytes) > o.config.Most {
		return o.tooLarge(int64(stats.DiskBytes + stats.MemoryBytes))
	}
	return o.Flush()
}

// fold makes the step what the target has.
func (o *old) fold() error {
	err := o.epoch(o.to, nil, func(e *store.Epoch) error {
		err := each(e, step, 0, func(key, value []byte) error {
			own := append(inCollection(nil, given), key[collectionBytes:]...)
			if isGone(value) {
				return errors.Join(e.Delete(own), e.Delete(key))
			}
			return errors.Join(e.Put(own, value), e.Delete(key))
		})
		if err != nil {
			return err
		}
		return each(e, perhaps, 0, func(key, _ []byte) error { return e.Delete(key) })
	})
	o.tried = o.tried && err != nil
	return err
}

// epoch is one step of the store, between two places.
func (o *old) epoch(at, to []byte, change func(e *store.Epoch) error) error {
	e, err := o.Begin()
	if err != nil {
		return err
	}
	defer e.Discard()
	if err := change(e); err != nil {
		return err
	}
	if err := e.Commit(appendBytes(appendBytes(nil, at), to)); err != nil {
		return err
	}
	o.at, o.to = at, to
	return nil
}

// read looks at the store.
func (o *old) read(look func(e *store.Epoch) error) error {
	e, err := o.Begin()
	if err != nil {
		return err
	}
	return errors.Join(look(e), e.Discard())
}

// tooLarge says that the store occupies more than it may.
func (o *old) tooLarge(n int64) error {
	return &pipeline.Refusal{Code: CodeOldRows, Where: "sink " + o.config.Dir, What: fmt.Sprintf("the old rows that its transforms need occupy %d bytes, and limits.sink_rows_bytes is %d", n, o.config.Most),
		Mend: "raise limits.sink_rows_bytes, if the disk has the room, and restart"}
}

// parsePlaces reads a progress.
func parsePlaces(b []byte) (at, to []byte, err error) {
	if len(b) == 0 {
		return nil, nil, nil
	}
	d := decoder{b: b}
	at, to = d.bytes(), d.bytes()
	if d.failed || len(d.b) != 0 {
		return nil, nil, errStanding
	}
	return at, to, nil
}

const collectionBytes = 2

func inCollection(dst []byte, c uint16) []byte { return binary.BigEndian.AppendUint16(dst, c) }

// each goes over a collection; most 0: over all of it.
func each(e *store.Epoch, collection uint16, most int, fn func(key, value []byte) error) error {
	c, err := e.Scan(inCollection(nil, collection), inCollection(nil, collection+1))
	if err != nil {
		return err
	}
	for n := 0; c.Next() && (most == 0 || n < most); n++ {
		if err = fn(c.Key(), c.Value()); err != nil {
			break
		}
	}
	return errors.Join(err, c.Err(), c.Close())
}
