package registry

import (
	"context"
	"errors"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/evertdb/evert/schema/avro"
)

// avroType is the only type of schemas that is kept.
const avroType = "AVRO"

// maxText bounds a schema: with what JSON adds to it, a record of the topic
// stays below 16 MiB. maxReferences bounds what one refers to (X16).
const (
	maxText       = 4 << 20
	maxReferences = 1000
)

// A Proposal is a schema that somebody wants to register.
type Proposal struct {
	Schema
	Type      string // AVRO, or empty
	ID        int    // in mode IMPORT: its id; else 0
	Number    int    // in mode IMPORT: its version; else 0, or the one that follows the newest
	Normalize bool   // keep its normal form
}

// Add registers a schema under a subject, if it is not there yet, and gives its
// version. Concurrent calls for one schema give one id.
func (l *Local) Add(ctx context.Context, subject string, p Proposal) (Version, error) {
	if v, ok := l.known(subject, p); ok {
		return v, nil
	}
	var added Version
	err := l.change(ctx, func(s *state) (records []Record, err error) {
		added, records, err = s.add(subject, p)
		return records, err
	})
	return added, err
}

// known finds what is registered already, without a look at the topic.
func (l *Local) known(subject string, p Proposal) (Version, bool) {
	print, err := fingerprintOf(p.Schema)
	if err != nil || p.ID != 0 || p.Type != "" && p.Type != avroType {
		return Version{}, false
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	v, ok := l.state.find(subject, print, false)
	if !ok {
		return Version{}, false
	}
	return l.state.version(subject, v), true
}

// add decides on a proposal: the version that it is or becomes, and what is to
// be written for that.
func (s *state) add(subject string, p Proposal) (Version, []Record, error) {
	schema, print, err := s.admit(subject, p)
	if err != nil {
		return Version{}, nil, err
	}
	if v, ok := s.find(subject, print, false); ok && (p.ID == 0 || p.ID == v.id) {
		return s.version(subject, v), nil, nil
	}
	v, err := s.place(subject, p, print)
	if err != nil {
		return Version{}, nil, err
	}
	if s.mode(subject) != Import {
		if messages, err := s.compare(subject, schema, s.list(subject, false)); err != nil {
			return Version{}, nil, err
		} else if messages != nil {
			return Version{}, nil, incompatible(subject, messages)
		}
	}
	record := encode(schemaKey(subject, v.number), s.valueOf(subject, v, schema))
	return Version{Subject: subject, Number: v.number, ID: v.id, Schema: schema}, []Record{record}, nil
}

func (s *state) valueOf(subject string, v version, schema Schema) schemaValue {
	return schemaValue{Subject: subject, Version: v.number, ID: v.id, References: schema.References, Schema: schema.Text, Deleted: v.deleted}
}

// admit checks a proposal by itself, and gives the schema as it would be kept.
func (s *state) admit(subject string, p Proposal) (Schema, fingerprint, error) {
	if err := checkSubject(subject); err != nil {
		return Schema{}, fingerprint{}, err
	}
	if p.Type != "" && p.Type != avroType {
		return Schema{}, fingerprint{}, refuse(CodeInvalidSchema, "Invalid schema type %.40s: this registry keeps Avro schemas alone", p.Type)
	}
	schema, err := s.resolve(p.Schema)
	if err != nil {
		return Schema{}, fingerprint{}, err
	}
	if _, err := s.parse(schema); err != nil {
		return Schema{}, fingerprint{}, invalid(err)
	}
	if p.Normalize || s.normalizes(subject) {
		if schema.Text, err = avro.Normal(schema.Text); err != nil {
			return Schema{}, fingerprint{}, invalid(err)
		}
	}
	print, err := fingerprintOf(schema)
	if err != nil {
		return Schema{}, fingerprint{}, invalid(err)
	}
	return schema, print, nil
}

func checkSubject(subject string) error {
	if subject == "" || len(subject) > 1000 || !utf8.ValidString(subject) || slices.ContainsFunc([]rune(subject), unicode.IsControl) {
		return refuse(CodeInvalidSubject, "Invalid subject %.60q: it has 1 to 1,000 bytes and no control characters", subject)
	}
	return nil
}

// resolve checks a schema's size and gives its references the numbers of the
// versions that they mean.
func (s *state) resolve(schema Schema) (Schema, error) {
	switch {
	case schema.Text == "":
		return schema, refuse(CodeInvalidSchema, "Invalid schema: it is empty")
	case len(schema.Text) > maxText || len(schema.References) > maxReferences:
		return schema, refuse(CodeSchemaTooLarge, "The schema is larger than %d bytes, or has more than %d references", maxText, maxReferences)
	}
	if schema.References == nil {
		return schema, nil
	}
	schema.References = slices.Clone(schema.References)
	for i, r := range schema.References {
		v, err := s.get(r.Subject, r.Version, false)
		if err != nil {
			return schema, refuse(CodeInvalidSchema, "Invalid schema: the reference to version %d of subject %.200q leads nowhere", r.Version, r.Subject)
		}
		schema.References[i].Version = v.number
	}
	return schema, nil
}

// invalid makes the protocol's refusal of what is wrong with a schema.
func invalid(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return refuse(CodeInvalidSchema, "Invalid schema: %.500s", err.Error())
}

// place gives the version that a new schema becomes, as its subject's mode
// allows.
func (s *state) place(subject string, p Proposal, print fingerprint) (version, error) {
	mode := s.mode(subject)
	v := version{number: s.next(subject), id: s.idFor(print)}
	switch {
	case mode.readOnly():
		return v, s.writable(subject)
	case mode == Import && p.ID == 0:
		return v, refuse(CodeNotPermitted, "Subject %s is in import mode, in which a schema comes with its id", subject)
	case mode == Import:
		return s.imported(subject, p, print)
	case p.ID != 0:
		return v, refuse(CodeNotPermitted, "Subject %s is not in import mode, so that a schema cannot bring its id", subject)
	case p.Number > 0 && p.Number != v.number:
		return v, refuse(CodeInvalidSchema, "Invalid schema: version %d is not the next one, which is %d", p.Number, v.number)
	case v.id > maxID:
		return v, refuse(CodeNotPermitted, "All ids up to %d were given out", maxID)
	}
	return v, nil
}

// imported gives the place that a schema brings itself.
func (s *state) imported(subject string, p Proposal, print fingerprint) (version, error) {
	v := version{number: p.Number, id: p.ID}
	if v.number <= 0 {
		v.number = s.next(subject)
	}
	if p.ID < 1 || p.ID >= maxID {
		return v, refuse(CodeNotPermitted, "Id %d is not between 1 and %d", p.ID, maxID-1)
	}
	if h, ok := s.schemas[p.ID]; ok && h.print != print {
		return v, refuse(CodeNotPermitted, "Overwrite new schema with id %d is not permitted.", p.ID)
	}
	for _, old := range s.subjects[subject] {
		if old.number == v.number && old.id != p.ID {
			return v, refuse(CodeNotPermitted, "Version %d of subject %s is another schema", v.number, subject)
		}
	}
	return v, nil
}

// compare checks a schema against versions of a subject at the level that the
// subject has.
func (s *state) compare(subject string, schema Schema, versions []version) (messages []string, err error) {
	level := s.level(subject)
	if level == None || len(versions) == 0 {
		return nil, nil
	}
	parsed, err := s.parse(schema)
	if err != nil {
		return nil, invalid(err)
	}
	if !level.transitive() {
		versions = versions[len(versions)-1:]
	}
	old := make([]earlier, len(versions))
	for i, v := range versions {
		h := s.schemas[v.id]
		old[i] = earlier{number: v.number, text: h.Text}
		if old[i].parsed, err = s.parse(h.Schema); err != nil {
			return nil, refuse(CodeInvalidSchema, "Version %d of subject %s cannot be read any more: %.500s", v.number, subject, err.Error())
		}
	}
	return level.check(parsed, old), nil
}

// maxShown bounds what a refusal says of a schema.
const maxShown = 8 << 10

func incompatible(subject string, messages []string) error {
	all := "["
	for i, m := range messages {
		if i > 0 {
			all += ", "
		}
		if len(m) > maxShown {
			m = m[:maxShown] + "…"
		}
		all += m
	}
	return refuse(CodeIncompatible, "Schema being registered is incompatible with an earlier schema for subject %q, details: %s]", subject, all)
}

// Compare says whether a schema could follow one version of a subject, or with
// number 0 those that the subject's level looks at: nothing if so, otherwise why
// not. A subject without versions takes any.
func (l *Local) Compare(ctx context.Context, subject string, number int, p Proposal) (messages []string, err error) {
	return look(ctx, l, func(s *state) ([]string, error) {
		schema, _, err := s.admit(subject, p)
		if err != nil {
			return nil, err
		}
		versions := s.list(subject, false)
		if number != 0 {
			v, err := s.get(subject, number, false)
			switch {
			case err != nil && number == Newest:
				return nil, nil
			case err != nil:
				return nil, noVersion(number)
			}
			versions = []version{v}
		}
		return s.compare(subject, schema, versions)
	})
}
