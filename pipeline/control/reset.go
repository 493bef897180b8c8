package control

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// A Reset is the last one of a source: what it leaves, for whoever begins the source anew,
// and for the next one. The zero Reset is none.
//
//	BeginReset ─► slot, frontier and topics are removed ─► EndReset
//
// It is noted before anything is removed, so that one which is cut off has said it. One
// that is cut off before that, or whose server keeps the slot, has no effect: the source
// goes on, and is soon at another place than Found.
type Reset struct {
	At         time.Time      `json:"at"`
	Resnapshot bool           `json:"resnapshot"`      // its topics stay
	Kept       []string       `json:"kept,omitempty"`  // table topics that may be there, though no frontier speaks of them
	Gaps       map[string]Gap `json:"gaps,omitempty"`  // what append-only topics lack, by topic
	Unread     bool           `json:"-"`               // there is one, of which this release can read nothing
	Found      string         `json:"found,omitempty"` // the place of the frontier when it began, until it is done; empty: there was none
}

// A Gap is changes that an append-only topic lacks, if it comes to be begun anew: from a
// time on until then.
type Gap struct {
	ID   string        `json:"id"`   // the topic's identity: one made anew lacks nothing
	Code pipeline.Code `json:"code"` // why
	At   time.Time     `json:"at"`   // from when on, by our clock
}

// LastReset gives the last reset of a source. What somebody commits meanwhile may be
// missing.
func LastReset(ctx context.Context, l log.Log, deployment, source string) (Reset, error) {
	all, _, err := read(ctx, &log.Store{Log: l, Topic: log.ControlTopic(deployment)}, "", nil)
	if err != nil {
		return Reset{}, err
	}
	return all.resets[source], nil
}

// BeginReset notes a reset, and journals it. It returns when every LastReset gives it. The
// source does not run from here to EndReset.
func BeginReset(ctx context.Context, l log.Log, deployment, source string, r Reset) error {
	entry := Entry{Command: "reset", Source: source}
	return change(ctx, l, deployment, entry, resetPrefix+source, func(*holding) (any, error) { return r, nil })
}

// EndReset notes that all is done: nothing is left of topics that did not stay. Where all
// tables are copied by themselves now, that answers whoever asked before for the copy of
// one; else what people asked for stands.
func EndReset(ctx context.Context, l log.Log, deployment, source string, copies bool) error {
	return commit(ctx, l, deployment, func(all *holding) (pairs []pair, err error) {
		r := all.resets[source]
		r.Found = ""
		if !r.Resnapshot {
			r.Kept, r.Gaps = nil, nil
		}
		states := map[string]any{resetPrefix + source: r}
		for name, t := range all.tables {
			if copies && strings.HasPrefix(name, source+".") && t.Copy != nil {
				states[tablePrefix+name] = t.answered()
			}
		}
		for key, state := range states {
			p, err := record(key, state)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, p)
		}
		return pairs, nil
	})
}

// answered is what holds for a table that was copied; nil if nothing does.
func (t Table) answered() any {
	if t.Copy = nil; t.isZero() {
		return nil
	}
	return t
}

// takeOldReset takes in the entry of a reset as earlier releases wrote them, under its
// time, and reports whether it is one. Such stay: what else knows which topics were kept?
func (h *holding) takeOldReset(value []byte) bool {
	var old struct {
		Command, Source string
		At              time.Time
		Kept            []string
	}
	if json.Unmarshal(value, &old) != nil || old.Command != "reset" {
		return false
	}
	h.resets[old.Source] = Reset{At: old.At, Resnapshot: true, Kept: old.Kept}
	return true
}
