package registry

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/schema/avro"
)

// A Schema is what an id stands for: a text, and where the names are defined
// that it uses and does not define itself.
type Schema struct {
	Text       string
	References []Reference
}

// A Reference names a type, and the version of a subject that defines it.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// A Version is one schema under a subject.
type Version struct {
	Subject string
	Number  int
	ID      int
	Deleted bool // softly
	Schema
}

// A fingerprint tells schemas apart: SHA-256 of the normal form and the
// references.
type fingerprint [32]byte

func fingerprintOf(s Schema) (fingerprint, error) {
	normal, err := avro.Normal(s.Text)
	if err != nil {
		return fingerprint{}, err
	}
	var all strings.Builder
	all.WriteString(normal)
	for _, r := range s.References {
		fmt.Fprintf(&all, "\n%q %q %d", r.Name, r.Subject, r.Version)
	}
	return sha256.Sum256([]byte(all.String())), nil
}

// A state is what the registry's topic says.
type state struct {
	schemas  map[int]*held         // by id
	ids      map[fingerprint][]int // ascending; more than one was imported so
	subjects map[string][]version  // by number, deleted ones too
	levels   map[string]Level      // by subject; "" is the default of all
	normals  map[string]bool       // likewise: whether schemas are normalized first
	modes    map[string]Mode       // likewise
	nextID   int                   // above every id that ever was
}

// held is a schema, and how many versions have it.
type held struct {
	Schema
	print fingerprint
	uses  int
}

// A version is one entry of a subject's list.
type version struct {
	number  int
	id      int
	deleted bool
}

func newState() *state {
	return &state{
		schemas: map[int]*held{}, ids: map[fingerprint][]int{}, subjects: map[string][]version{},
		levels: map[string]Level{}, normals: map[string]bool{}, modes: map[string]Mode{}, nextID: 1,
	}
}

// put takes in a version. An id never changes its meaning (K25).
func (s *state) put(subject string, v version, schema Schema) error {
	print, err := fingerprintOf(schema)
	if err != nil {
		return fmt.Errorf("version %d of %s: %w", v.number, subject, err)
	}
	h, ok := s.schemas[v.id]
	if ok && h.print != print {
		return fmt.Errorf("id %d means two schemas, the second under %s", v.id, subject)
	}
	if !ok {
		h = &held{Schema: schema, print: print}
		s.schemas[v.id] = h
		s.ids[print] = append(s.ids[print], v.id)
		slices.Sort(s.ids[print])
	}
	h.uses++ // before remove: the same version may be put again
	s.nextID = max(s.nextID, v.id+1)
	s.remove(subject, v.number)
	list := s.subjects[subject]
	at, _ := slices.BinarySearchFunc(list, v.number, func(v version, n int) int { return v.number - n })
	s.subjects[subject] = slices.Insert(list, at, v)
	return nil
}

// remove takes a version out, and its schema if no other version has it.
func (s *state) remove(subject string, number int) {
	list := s.subjects[subject]
	at, ok := slices.BinarySearchFunc(list, number, func(v version, n int) int { return v.number - n })
	if !ok {
		return
	}
	id := list[at].id
	if s.subjects[subject] = slices.Delete(list, at, at+1); len(list) == 1 {
		delete(s.subjects, subject)
	}
	h := s.schemas[id]
	if h.uses--; h.uses > 0 {
		return
	}
	delete(s.schemas, id)
	s.ids[h.print] = slices.DeleteFunc(s.ids[h.print], func(other int) bool { return other == id })
	if len(s.ids[h.print]) == 0 {
		delete(s.ids, h.print)
	}
}

// version gives an entry in full.
func (s *state) version(subject string, v version) Version {
	return Version{Subject: subject, Number: v.number, ID: v.id, Deleted: v.deleted, Schema: s.schemas[v.id].Schema}
}

// find gives the newest version of a subject with this schema.
func (s *state) find(subject string, print fingerprint, deleted bool) (v version, ok bool) {
	for _, v := range slices.Backward(s.subjects[subject]) {
		if (deleted || !v.deleted) && s.schemas[v.id].print == print {
			return v, true
		}
	}
	return version{}, false
}

// list gives a subject's versions, oldest first, with or without deleted ones.
func (s *state) list(subject string, deleted bool) (list []version) {
	for _, v := range s.subjects[subject] {
		if deleted || !v.deleted {
			list = append(list, v)
		}
	}
	return list
}

// Newest is the number that stands for a subject's newest version.
const Newest = -1

// get gives one version by its number.
func (s *state) get(subject string, number int, deleted bool) (version, error) {
	list := s.list(subject, deleted)
	if len(list) == 0 {
		return version{}, noSubject(subject)
	}
	if number == Newest {
		return list[len(list)-1], nil
	}
	for _, v := range list {
		if v.number == number {
			return v, nil
		}
	}
	return version{}, noVersion(number)
}

// next numbers a subject's next schema. Deleted numbers stay taken.
func (s *state) next(subject string) int {
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

// normalizes reports whether a subject's schemas are normalized first.
func (s *state) normalizes(subject string) bool {
	if n, ok := s.normals[subject]; ok {
		return n
	}
	return s.normals[""]
}

// idFor gives the id of a schema: the lowest that it has elsewhere, or the next.
func (s *state) idFor(print fingerprint) int {
	if ids := s.ids[print]; len(ids) > 0 {
		return ids[0]
	}
	return s.nextID
}

// texts gives the texts that a schema refers to, in all depth, each before
// those that use it.
func (s *state) texts(schema Schema) ([]string, error) {
	var texts []string
	seen := map[int]bool{}
	var gather func(refs []Reference) error
	gather = func(refs []Reference) error {
		for _, r := range refs {
			v, err := s.get(r.Subject, r.Version, true)
			if err != nil {
				return refuse(CodeInvalidSchema, "Invalid schema: the reference to version %d of subject %.200q leads nowhere", r.Version, r.Subject)
			}
			if seen[v.id] {
				continue
			}
			seen[v.id] = true
			h := s.schemas[v.id]
			if err := gather(h.References); err != nil {
				return err
			}
			texts = append(texts, h.Text)
		}
		return nil
	}
	return texts, gather(schema.References)
}

// parse gives a schema's definition.
func (s *state) parse(schema Schema) (*avro.Definition, error) {
	texts, err := s.texts(schema)
	if err != nil {
		return nil, err
	}
	return avro.Parse(schema.Text, texts...)
}

// referrers gives the ids of schemas that refer to a version, ascending: of
// versions that are there, or also of deleted ones.
func (s *state) referrers(subject string, number int, deleted bool) []int {
	ids := map[int]bool{}
	for _, list := range s.subjects {
		for _, v := range list {
			if (deleted || !v.deleted) && s.schemas[v.id].refersTo(subject, number) {
				ids[v.id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

func (s Schema) refersTo(subject string, number int) bool {
	return slices.ContainsFunc(s.References, func(r Reference) bool { return r.Subject == subject && r.Version == number })
}
