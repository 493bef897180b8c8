// Package codes is the catalogue of refusals: every code that Evert prints in
// brackets, what it means, and what mends it. `evert help CODE` shows it.
//
// A code belongs to the package that refuses. configs and sources/postgres
// explain their own; what the catalogue adds to them, and all the others, stands
// in the tables of this package, one per part of the house. A test looks for
// every constant of type pipeline.Code in the module and compares.
package codes

import (
	"slices"
	"strings"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres"
)

// An Entry explains one code.
type Entry struct {
	Code    pipeline.Code `json:"code"`
	Text    string        `json:"text"`
	Mend    string        `json:"mend"`
	Passing bool          `json:"passing"` // goes away by itself: it is tried again soon, and nobody has to do anything
}

// All gives the catalogue, by code.
func All() []Entry {
	said := map[pipeline.Code]string{}
	for _, h := range configs.Codes() {
		said[h.Code] = h.Text
	}
	for code, text := range postgres.Codes() {
		said[code] = text
	}
	all := slices.Concat(ofFile(), ofDaemon(), ofLog(), ofCapture(), ofView(), ofSink(), ofPostgres(), ofDataflow(), ofReads(), ofSQL(), ofState(), ofTransforms(),
		ofOpenSearch(), ofPostgresSink(), ofWebhook(), ofFiles(), ofDeadLetters(), ofMySQL(), ofIndex())
	for i := range all {
		all[i].Text = strings.TrimSpace(said[all[i].Code] + " " + all[i].Text)
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(string(a.Code), string(b.Code)) })
	return all
}

// Find gives the entry of one code.
func Find(code pipeline.Code) (Entry, bool) {
	for _, e := range All() {
		if e.Code == code {
			return e, true
		}
	}
	return Entry{}, false
}

// Passing reports whether a refusal with this code goes away by itself.
func Passing(code pipeline.Code) bool {
	e, ok := Find(code)
	return ok && e.Passing
}

// Near gives a hint at codes that resemble code, or nothing.
func Near(code pipeline.Code) string {
	var near []string
	for _, e := range All() {
		if strings.Contains(string(e.Code), string(code)) || shareWord(string(e.Code), string(code)) {
			near = append(near, string(e.Code))
		}
	}
	if len(near) == 0 || len(near) > 8 {
		return "; `evert help codes` lists them"
	}
	return "; do you mean " + strings.Join(near, ", ") + "?"
}

func shareWord(a, b string) bool {
	words := strings.Split(a, "_")
	for _, w := range strings.Split(b, "_") {
		if len(w) > 3 && slices.Contains(words, w) {
			return true
		}
	}
	return false
}
