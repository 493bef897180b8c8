package registry

import (
	"encoding/json"
	"fmt"
	"math"
)

// The records of the registry's topic, as Confluent's lie in `_schemas`:
//
//	{"keytype":"SCHEMA","subject":…,"version":…,"magic":1}   {"subject":…,"version":…,"id":…,"schema":…,"deleted":false}
//	{"keytype":"DELETE_SUBJECT","subject":…,"magic":0}       {"subject":…,"version":…}
//	{"keytype":"CONFIG","subject":…,"magic":0}               {"subject":…,"compatibilityLevel":…}
//	{"keytype":"MODE","subject":…,"magic":0}                 {"subject":…,"mode":…}
//	{"keytype":"NOOP","magic":0}                             {"maxId":…}
//
// A CONFIG or MODE without a subject is the default of all. A value of no bytes
// takes back what its key said. The value of NOOP is ours, and others pass it
// over: the highest id that ever was, so that none is given out a second time
// when the version that had it is gone for good. Other key types are left alone.
const (
	keySchema        = "SCHEMA"
	keyDeleteSubject = "DELETE_SUBJECT"
	keyConfig        = "CONFIG"
	keyMode          = "MODE"
	keyNoop          = "NOOP"
)

// A Record is what a Store keeps. A nil Value takes back what the key said.
type Record = struct{ Key, Value []byte }

// maxID is the highest id: four bytes of a record, signed as Java has it.
const maxID = math.MaxInt32

type recordKey struct {
	Keytype string  `json:"keytype"`
	Subject *string `json:"subject"`
	Version int     `json:"version,omitempty"`
	Magic   int     `json:"magic"`
}

type schemaValue struct {
	Subject    string      `json:"subject"`
	Version    int         `json:"version"`
	ID         int         `json:"id"`
	SchemaType string      `json:"schemaType,omitempty"` // absent: AVRO
	References []Reference `json:"references,omitempty"`
	Schema     string      `json:"schema"`
	Deleted    bool        `json:"deleted"`
}

type deleteValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

type configValue struct {
	Subject            *string `json:"subject,omitempty"`
	CompatibilityLevel string  `json:"compatibilityLevel,omitempty"`
	Normalize          *bool   `json:"normalize,omitempty"`
}

type modeValue struct {
	Subject *string `json:"subject,omitempty"`
	Mode    string  `json:"mode"`
}

type noopValue struct {
	MaxID int `json:"maxId"`
}

func schemaKey(subject string, number int) recordKey {
	return recordKey{Keytype: keySchema, Subject: &subject, Version: number, Magic: 1}
}

// settingKey is the key of a subject's record of some type; an empty subject
// stands for all.
func settingKey(keytype, subject string) recordKey {
	return recordKey{Keytype: keytype, Subject: pointer(subject)}
}

// pointer is nil for all.
func pointer(subject string) *string {
	if subject == "" {
		return nil
	}
	return &subject
}

// encode gives the bytes of a record; a nil value makes a tombstone.
func encode(key recordKey, value any) Record {
	return Record{Key: jsonOf(key), Value: jsonOf(value)}
}

// jsonOf writes one of the types above, which all can be written.
func jsonOf(v any) []byte {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// apply takes one record of the topic into the state; the same one again changes
// nothing more. What it does not know it leaves alone; what it knows must be
// readable.
func (s *state) apply(r Record) error {
	var k recordKey
	if err := json.Unmarshal(r.Key, &k); err != nil {
		return fmt.Errorf("a record's key is not that of a registry: %w", err)
	}
	switch k.Keytype {
	case keySchema:
		return s.applySchema(k, r.Value)
	case keyDeleteSubject:
		return s.applyDelete(k, r.Value)
	case keyConfig:
		return s.applyConfig(k, r.Value)
	case keyMode:
		return s.applyMode(k, r.Value)
	case keyNoop:
		return s.applyNoop(r.Value)
	}
	return nil
}

func (s *state) applySchema(k recordKey, value []byte) error {
	if k.Subject == nil || k.Version < 1 {
		return fmt.Errorf("a SCHEMA record lacks subject or version")
	}
	if len(value) == 0 {
		s.remove(*k.Subject, k.Version)
		return nil
	}
	var v schemaValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("version %d of %s is not readable: %w", k.Version, *k.Subject, err)
	}
	if v.SchemaType != "" && v.SchemaType != avroType || v.ID < 1 || v.ID > maxID {
		return fmt.Errorf("version %d of %s is not an Avro schema with an id", k.Version, *k.Subject)
	}
	return s.put(*k.Subject, version{number: k.Version, id: v.ID, deleted: v.Deleted}, Schema{v.Schema, v.References})
}

func (s *state) applyDelete(k recordKey, value []byte) error {
	if k.Subject == nil || len(value) == 0 {
		return nil
	}
	var v deleteValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("the deletion of subject %q is not readable: %w", *k.Subject, err)
	}
	versions := s.subjects[*k.Subject]
	for i := range versions {
		if versions[i].number <= v.Version {
			versions[i].deleted = true
		}
	}
	return nil
}

func (s *state) applyConfig(k recordKey, value []byte) error {
	subject := deref(k.Subject)
	delete(s.levels, subject)
	delete(s.normals, subject)
	if len(value) == 0 {
		return nil
	}
	var v configValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("the configuration of subject %q is not readable: %w", subject, err)
	}
	if v.Normalize != nil {
		s.normals[subject] = *v.Normalize
	}
	if v.CompatibilityLevel == "" {
		return nil
	}
	level, err := ParseLevel(v.CompatibilityLevel)
	if err != nil {
		return err
	}
	s.levels[subject] = level
	return nil
}

func (s *state) applyMode(k recordKey, value []byte) error {
	subject := deref(k.Subject)
	if len(value) == 0 {
		delete(s.modes, subject)
		return nil
	}
	var v modeValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("the mode of subject %q is not readable: %w", subject, err)
	}
	mode, err := ParseMode(v.Mode)
	if err != nil {
		return err
	}
	s.modes[subject] = mode
	return nil
}

func (s *state) applyNoop(value []byte) error {
	if len(value) == 0 {
		return nil
	}
	var v noopValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("the highest id is not readable: %w", err)
	}
	s.nextID = max(s.nextID, v.MaxID+1)
	return nil
}

func deref(subject *string) string {
	if subject == nil {
		return ""
	}
	return *subject
}
