package opensearch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evertdb/evert/schema"
)

// A mapping is how each field of an index is kept, by the names of columns.
type mapping map[string]json.RawMessage

// The derived mappings. Values that JSON or the field's type has no room for (NaN,
// infinities, BC, years after 9999) stay in the document and are not found by the
// field; the document's _ignored names it (ignore_malformed).
const (
	asBoolean  = `{"type":"boolean"}`
	asFloat    = `{"type":"float","ignore_malformed":true}`
	asDouble   = `{"type":"double","ignore_malformed":true}`
	asDecimal  = `{"type":"double","ignore_malformed":true,"fields":{"exact":{"type":"keyword","ignore_above":1024}}}`
	asText     = `{"type":"text","fields":{"keyword":{"type":"keyword","ignore_above":1024}}}`
	asKeyword  = `{"type":"keyword","ignore_above":1024}`
	asDate     = `{"type":"date","format":"strict_date","ignore_malformed":true}`
	asInstant  = `{"type":"date","format":"strict_date_optional_time","ignore_malformed":true}`
	asDocument = `{"type":"object","enabled":false}`
	asBytes    = `{"type":"keyword","index":false,"doc_values":false}`
)

// exactDigits of a decimal are what a double holds exactly.
const exactDigits = 15

// derive gives the mapping of a column's type.
func derive(t *schema.Type) string {
	switch t.Kind {
	case schema.KindBool:
		return asBoolean
	case schema.KindInt:
		return deriveInt(t.Bits)
	case schema.KindFloat:
		if t.Bits == 32 {
			return asFloat
		}
		return asDouble
	case schema.KindDecimal:
		if t.Precision > 0 && t.Precision <= exactDigits {
			return asDouble
		}
		return asDecimal
	case schema.KindText:
		if t.Labels != nil {
			return asKeyword
		}
		return asText
	case schema.KindDate:
		return asDate
	case schema.KindTimestamp:
		return asInstant
	case schema.KindJSON:
		return asDocument
	case schema.KindBytes:
		return asBytes
	case schema.KindArray:
		if t.Elem != nil {
			return derive(t.Elem)
		}
	}
	return asKeyword // uuid, time, interval, and what is carried as text
}

func deriveInt(bits int) string {
	switch bits {
	case 16:
		return `{"type":"short"}`
	case 32:
		return `{"type":"integer"}`
	}
	return `{"type":"long"}`
}

// metadata are names that no field of a document may have.
var metadata = []string{"_id", "_index", "_source", "_type", "_routing", "_field_names", "_ignored", "_doc_count", "_tier", "_nested_path",
	"_seq_no", "_primary_term", "_version", "_size", "_data_stream_timestamp", "_feature", "_meta", "_ignored_source", "_inference_fields"}

// mappingOf gives the mapping of a table's rows.
func (o *Options) mappingOf(t *schema.Table) (mapping, error) {
	m := mapping{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if slices.Contains(metadata, c.Name) || strings.ContainsRune(c.Name, '.') || strings.TrimSpace(c.Name) == "" {
			return nil, o.refuse(codeColumn, fmt.Sprintf("the column %q of %s cannot be a field: its name holds a dot, is blank, or is taken by the server", c.Name, t),
				"rename it by a transform of the sink, or in the view's SQL with AS")
		}
		m[c.Name] = json.RawMessage(derive(&c.Type))
		if own := o.Mapping[c.Name]; own != nil {
			m[c.Name] = compact(own)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Mapping)) {
		if m[name] == nil {
			return nil, o.refuse(codeColumn, fmt.Sprintf("opensearch.mapping names %q, which is no column of %s", name, t), "remove it, or write one of "+strings.Join(slices.Sorted(maps.Keys(m)), ", "))
		}
	}
	return m, nil
}

func compact(text json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, text) != nil {
		return text
	}
	return out.Bytes()
}

// fields counts fields with those inside, as the server's limit does.
func (m mapping) fields() int {
	n := 0
	for _, text := range m {
		n += countFields(text)
	}
	return n
}

func countFields(text json.RawMessage) int {
	var f struct{ Properties, Fields map[string]json.RawMessage }
	_ = json.Unmarshal(text, &f) // an own mapping that is no object is the server's to refuse
	n := 1
	for _, below := range f.Properties {
		n += countFields(below)
	}
	for _, below := range f.Fields {
		n += countFields(below)
	}
	return n
}

// added gives the fields that are new in m; ok is false if one is gone or another.
func (m mapping) added(was mapping) (fresh mapping, ok bool) {
	fresh = mapping{}
	for name, text := range m {
		if was[name] == nil {
			fresh[name] = text
		} else if !bytes.Equal(was[name], text) {
			return nil, false
		}
	}
	return fresh, len(m)-len(fresh) == len(was)
}
