package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
)

// A fingerprint tells schema texts apart: SHA-256 of the JSON without white
// space.
type fingerprint [32]byte

func fingerprintOf(schema string) (fingerprint, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(schema)); err != nil {
		return fingerprint{}, fmt.Errorf("the schema is not JSON: %w", err)
	}
	return sha256.Sum256(compact.Bytes()), nil
}

// A state is what the registry's topic says.
type state struct {
	texts    map[int]string      // by id
	ids      map[fingerprint]int // the lowest id of each text
	subjects map[string][]version
	levels   map[string]Level // by subject; "" is the default
	nextID   int
}

// A version is one schema under a subject, oldest first in its list.
type version struct {
	number  int
	id      int
	deleted bool
	print   fingerprint // of its text
}

func newState() *state {
	return &state{
		texts: map[int]string{}, ids: map[fingerprint]int{}, subjects: map[string][]version{},
		levels: map[string]Level{}, nextID: 1,
	}
}

// put takes in a version. An id never changes its meaning.
func (s *state) put(subject string, v version, text string) error {
	print, err := fingerprintOf(text)
	if err != nil {
		return fmt.Errorf("version %d of %s: %w", v.number, subject, err)
	}
	if old, ok := s.texts[v.id]; ok {
		if oldPrint, _ := fingerprintOf(old); oldPrint != print {
			return fmt.Errorf("id %d means two schemas, the second under %s", v.id, subject)
		}
	}
	v.print, s.texts[v.id] = print, text
	if id, ok := s.ids[print]; !ok || v.id < id {
		s.ids[print] = v.id
	}
	s.nextID = max(s.nextID, v.id+1)
	s.remove(subject, v.number)
	list := append(s.subjects[subject], v)
	slices.SortFunc(list, func(a, b version) int { return a.number - b.number })
	s.subjects[subject] = list
	return nil
}

func (s *state) remove(subject string, number int) {
	s.subjects[subject] = slices.DeleteFunc(s.subjects[subject], func(v version) bool { return v.number == number })
}

// find gives the id of a text among a subject's versions.
func (s *state) find(subject string, print fingerprint) (id int, ok bool) {
	for _, v := range s.subjects[subject] {
		if !v.deleted && v.print == print {
			return v.id, true
		}
	}
	return 0, false
}

// live gives the texts of a subject's versions that are not deleted.
func (s *state) live(subject string) []string {
	var texts []string
	for _, v := range s.subjects[subject] {
		if !v.deleted {
			texts = append(texts, s.texts[v.id])
		}
	}
	return texts
}

// latest gives a subject's newest version that is not deleted.
func (s *state) latest(subject string) (v version, ok bool) {
	for _, v := range slices.Backward(s.subjects[subject]) {
		if !v.deleted {
			return v, true
		}
	}
	return version{}, false
}

// nextVersion numbers a subject's next schema. Deleted numbers stay taken.
func (s *state) nextVersion(subject string) int {
	list := s.subjects[subject]
	if len(list) == 0 {
		return 1
	}
	return list[len(list)-1].number + 1
}

// level is what a subject's new schema owes.
func (s *state) level(subject string) Level {
	if l, ok := s.levels[subject]; ok {
		return l
	}
	if l, ok := s.levels[""]; ok {
		return l
	}
	return Backward
}

// idFor gives the id of a text: the one it has elsewhere, or the next.
func (s *state) idFor(print fingerprint) int {
	if id, ok := s.ids[print]; ok {
		return id
	}
	return s.nextID
}
