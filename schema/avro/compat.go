package avro

import (
	"fmt"

	hamba "github.com/hamba/avro/v2"
)

// Compatible reports, as an error that says where they differ, whether a reader
// with one schema can read what was written with the other, by Avro's rules of
// schema resolution.
//
// The library caches verdicts by a fingerprint that leaves out defaults, and
// defaults decide; so each call has a cache of its own.
func Compatible(reader, writer string) error {
	r, err := parseSchema(reader)
	if err != nil {
		return fmt.Errorf("parse reader schema: %w", err)
	}
	w, err := parseSchema(writer)
	if err != nil {
		return fmt.Errorf("parse writer schema: %w", err)
	}
	return hamba.NewSchemaCompatibility().Compatible(r, w)
}

// Check reports whether text is an Avro schema.
func Check(text string) error {
	_, err := parseSchema(text)
	return err
}

// Same reports whether two texts are the same schema to Avro: equal in all that
// decides how bytes are read, whatever their properties, defaults and spelling.
func Same(a, b string) (bool, error) {
	if a == b {
		return true, nil
	}
	x, err := parseSchema(a)
	if err != nil {
		return false, err
	}
	y, err := parseSchema(b)
	if err != nil {
		return false, err
	}
	return x.Fingerprint() == y.Fingerprint(), nil
}
