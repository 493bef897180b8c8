package configs

import (
	_ "embed"
	"slices"
)

//go:embed evert.schema.json
var schemaJSON []byte

// Schema is the JSON Schema (2020-12) of the file, for editors: names, types,
// units, defaults, choices and patterns of every key. It accepts what Load
// accepts, and refuses most of what Load refuses; references between keys are
// Load's alone. A test derives it anew from the structs and their comments.
func Schema() []byte { return slices.Clone(schemaJSON) }
