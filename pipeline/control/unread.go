package control

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// What holds for whom a record is about that cannot be read, because a newer release wrote
// it. Nobody is bothered else, and the next command replaces it. Of each kind it is what
// loses nothing:
//
//	sink/     the sink rests, as it may have been told to: what it did not deliver, it can
//	          deliver later
//	table/    nothing is commanded of the table: rows of one that rests are missed. One that
//	          rests already has stopped by its frontier, and stays so
//	reset/    there was one: an append-only topic lacks changes, nobody knows since when
//	journal/  nothing: it is for people

// bySomebody stands for whoever let a sink rest by such a record.
const bySomebody = "a record that this release cannot read"

// without takes in what holds instead of a record that cannot be read.
func (h *holding) without(key string) {
	if name, ok := strings.CutPrefix(key, sinkPrefix); ok {
		h.sinks[name] = Sink{Paused: &Given{At: time.Now().UTC().Truncate(time.Millisecond), By: bySomebody}}
	}
	if name, ok := strings.CutPrefix(key, tablePrefix); ok {
		delete(h.tables, name)
	}
	if source, ok := strings.CutPrefix(key, resetPrefix); ok {
		h.resets[source] = Reset{Unread: true}
	}
}

// instead says what holds instead, and what mends it.
func instead(key string) string {
	if name, ok := strings.CutPrefix(key, sinkPrefix); ok {
		return "the sink rests until: evert resume " + name
	}
	if name, ok := strings.CutPrefix(key, tablePrefix); ok {
		return "nothing is commanded of the table; what was, command again: evert pause " + name + ", or evert snapshot " + name
	}
	if strings.HasPrefix(key, resetPrefix) {
		return "append-only topics that are begun anew say that changes are missing, and not since when"
	}
	return "a command is missing in the journal"
}

// unreadSince gives the keys of records that cannot be read, but for those that could not
// be before either.
func (h *holding) unreadSince(before *holding) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(h.unread)) {
		if before == nil || !before.unread[key] {
			keys = append(keys, key)
		}
	}
	return keys
}
