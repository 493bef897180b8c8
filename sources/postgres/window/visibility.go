package window

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Visibility is what a snapshot shows: every transaction before xmin, those
// before xmax that were not in progress, and no other.
type Visibility struct {
	xmin, xmax uint64
	open       []uint64 // in progress, ascending
}

// ParseVisibility reads what pg_current_snapshot() prints: xmin:xmax:xid,xid.
func ParseVisibility(text string) (*Visibility, error) {
	low, rest, _ := strings.Cut(text, ":")
	high, list, ok := strings.Cut(rest, ":")
	xmin, err1 := strconv.ParseUint(low, 10, 64)
	xmax, err2 := strconv.ParseUint(high, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%q is not a snapshot", text)
	}
	v := &Visibility{xmin: xmin, xmax: xmax}
	for word := range strings.SplitSeq(list, ",") {
		if word == "" {
			continue
		}
		x, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a snapshot", text)
		}
		v.open = append(v.open, x)
	}
	slices.Sort(v.open)
	return v, nil
}

// Has reports whether a transaction, if it was committed, is in the snapshot. xid
// is that of the whole transaction: snapshots do not list their parts.
func (v *Visibility) Has(xid uint32) bool {
	full := v.widen(xid)
	if full < v.xmin {
		return true
	}
	_, open := slices.BinarySearch(v.open, full)
	return full < v.xmax && !open
}

// widen gives a transaction number its upper half: the one that brings it nearest
// to the snapshot.
func (v *Visibility) widen(xid uint32) uint64 {
	full := v.xmax&^(1<<32-1) | uint64(xid)
	switch {
	case full > v.xmax+1<<31 && full >= 1<<32:
		return full - 1<<32
	case full+1<<31 < v.xmax:
		return full + 1<<32
	}
	return full
}
