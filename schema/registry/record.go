package registry

import (
	"encoding/json"
	"fmt"
)

// The records of the registry's topic, as Confluent's lie in `_schemas`:
//
//	{"keytype":"SCHEMA","subject":…,"version":…,"magic":1}   {"subject":…,"version":…,"id":…,"schema":…,"deleted":false}
//	{"keytype":"CONFIG","subject":…,"magic":0}               {"subject":…,"compatibilityLevel":…}
//	{"keytype":"DELETE_SUBJECT","subject":…,"magic":0}       {"subject":…,"version":…}
//
// A CONFIG without a subject is the default of all. A value of no bytes takes
// back what its key said. Other key types are left alone.
const (
	keySchema        = "SCHEMA"
	keyConfig        = "CONFIG"
	keyDeleteSubject = "DELETE_SUBJECT"
)

type recordKey struct {
	Keytype string  `json:"keytype"`
	Subject *string `json:"subject"`
	Version int     `json:"version,omitempty"`
	Magic   int     `json:"magic"`
}

type schemaValue struct {
	Subject    string `json:"subject"`
	Version    int    `json:"version"`
	ID         int    `json:"id"`
	SchemaType string `json:"schemaType,omitempty"` // absent: AVRO
	Schema     string `json:"schema"`
	Deleted    bool   `json:"deleted"`
}

type configValue struct {
	Subject            *string `json:"subject,omitempty"`
	CompatibilityLevel string  `json:"compatibilityLevel"`
}

type deleteValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// encode gives the bytes of a record.
func encode(key recordKey, value any) (k, v []byte, err error) {
	if k, err = json.Marshal(key); err != nil {
		return nil, nil, err
	}
	v, err = json.Marshal(value)
	return k, v, err
}

// apply takes one record of the topic into the state. What it does not know it
// leaves alone; what it knows must be readable.
func (s *state) apply(key, value []byte) error {
	var k recordKey
	if err := json.Unmarshal(key, &k); err != nil {
		return fmt.Errorf("a record's key is not that of a registry: %w", err)
	}
	switch k.Keytype {
	case keySchema:
		return s.applySchema(k, value)
	case keyConfig:
		return s.applyConfig(k, value)
	case keyDeleteSubject:
		return s.applyDelete(k, value)
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
	if v.SchemaType != "" && v.SchemaType != "AVRO" || v.ID < 1 {
		return fmt.Errorf("version %d of %s is not an Avro schema with an id", k.Version, *k.Subject)
	}
	return s.put(*k.Subject, version{number: k.Version, id: v.ID, deleted: v.Deleted}, v.Schema)
}

func (s *state) applyConfig(k recordKey, value []byte) error {
	subject := ""
	if k.Subject != nil {
		subject = *k.Subject
	}
	if len(value) == 0 {
		delete(s.levels, subject)
		return nil
	}
	var v configValue
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("the compatibility of subject %q is not readable: %w", subject, err)
	}
	level, err := ParseLevel(v.CompatibilityLevel)
	if err != nil {
		return err
	}
	s.levels[subject] = level
	return nil
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
