package view

import (
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/log"
)

// showOld shows the state of an earlier version, as it was last, while this one
// is not there yet. What cannot be shown is no reason to stop.
func (t *Task) showOld() {
	old, err := t.old()
	for _, hash := range old {
		if err == nil && t.showVersion(hash) {
			return
		}
	}
}

// showVersion shows what a version's state holds, if it can be read.
func (t *Task) showVersion(hash string) bool {
	s, err := t.States.Open(hash)
	if err != nil {
		return false
	}
	shown, err := ShownOf(hash, s.Progress())
	if err != nil {
		_ = s.Close()
		return false
	}
	shown.Time, shown.Old = t.Now(), true
	t.display.change(func() { t.display.place, t.display.shown = &place{state: s}, shown })
	if t.Events.Showing != nil {
		t.Events.Showing(shown)
	}
	return true
}

// ShownOf says what the state of a version shows, by its progress.
func ShownOf(hash string, progress []byte) (Shown, error) {
	had, err := log.ParseFrontier(progress)
	if err != nil {
		return Shown{}, err
	}
	at, err := parseVector(had.Resume.State)
	return Shown{Version: hash, Epoch: had.Number + 1, At: at}, err
}

// old are the versions beside the present one.
func (t *Task) old() ([]string, error) {
	all, err := t.States.Versions()
	if err != nil {
		return nil, fmt.Errorf("list the states of view %s: %w", t.Name, err)
	}
	return slices.DeleteFunc(all, func(hash string) bool { return hash == t.Hash }), nil
}

// switched follows when this version shows itself: the one before is closed when
// nobody looks at it any more, and earlier versions' states are removed.
func (t *Task) switched(before *place) error {
	if t.cleaned {
		return nil
	}
	t.cleaned = true
	old, err := t.old()
	if err != nil || before == nil {
		return errors.Join(err, t.removeOld(old))
	}
	before.gone = func() error { return t.removeOld(old) }
	return t.display.drop(before, true)
}

func (t *Task) removeOld(old []string) error {
	var err error
	for _, hash := range old {
		err = errors.Join(err, t.States.Remove(hash))
	}
	if err == nil && len(old) > 0 && t.Events.Switched != nil {
		t.Events.Switched(old)
	}
	return err
}
