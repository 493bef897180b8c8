package bleve

import (
	"slices"

	"github.com/evertdb/evert/schema"
)

// fieldKind says how a column is indexed.
type fieldKind string

const (
	asText    fieldKind = "text"    // words, and .keyword
	asKeyword fieldKind = "keyword" // as it is
	asNumber  fieldKind = "number"
	asTime    fieldKind = "time"
	asJSON    fieldKind = "json" // a field for each path
	asNothing fieldKind = "none"
)

// A shape says how the columns of an index are indexed. It is immutable.
type shape struct {
	Language string   `json:"language"`
	Key      []string `json:"key"`
	Fields   []field  `json:"fields"`
}

// field is a column.
type field struct {
	Name     string    `json:"name"`
	Kind     fieldKind `json:"kind"`
	Language string    `json:"language,omitempty"` // of text
	Zoned    bool      `json:"zoned,omitempty"`    // times that are instants
}

// shapeOf gives how the rows of t are indexed.
func (c *Config) shapeOf(t *schema.Table) *shape {
	s := &shape{Language: c.Language}
	for _, k := range t.Key {
		s.Key = append(s.Key, t.Columns[k].Name)
	}
	for i := range t.Columns {
		s.Fields = append(s.Fields, c.fieldOf(&t.Columns[i]))
	}
	return s
}

func (c *Config) fieldOf(col *schema.Column) field {
	t := &col.Type
	for t.Kind == schema.KindArray && t.Elem != nil {
		t = t.Elem
	}
	f := field{Name: col.Name, Kind: kindOf(t), Zoned: t.Zoned}
	if f.Kind == asText || f.Kind == asJSON {
		f.Language = c.languageOf(col.Name)
	}
	return f
}

func kindOf(t *schema.Type) fieldKind {
	switch t.Kind {
	case schema.KindText:
		return asText
	case schema.KindInt, schema.KindFloat, schema.KindDecimal:
		return asNumber
	case schema.KindDate, schema.KindTimestamp:
		return asTime
	case schema.KindJSON:
		return asJSON
	case schema.KindBytes:
		return asNothing
	}
	return asKeyword
}

func (c *Config) languageOf(column string) string {
	if l := c.Languages[column]; l != "" {
		return l
	}
	return c.Language
}

// field gives the column of a name, or nil.
func (s *shape) field(name string) *field {
	if i := slices.IndexFunc(s.Fields, func(f field) bool { return f.Name == name }); i >= 0 {
		return &s.Fields[i]
	}
	return nil
}

// joined gives a shape that holds both; why is empty, or says what does not fit.
func (s *shape) joined(t *shape) (both *shape, why string) {
	if s == nil {
		return t, ""
	}
	if !slices.Equal(s.Key, t.Key) {
		return nil, "the key has other columns"
	}
	both = s
	for _, f := range t.Fields {
		old := both.field(f.Name)
		switch {
		case old == nil:
			grown := *both
			grown.Fields = append(slices.Clone(both.Fields), f)
			both = &grown
		case *old != f:
			return nil, "column " + f.Name + " is indexed in another way now"
		}
	}
	return both, ""
}

// agrees reports whether a shape was made with the languages of c.
func (c *Config) agrees(s *shape) bool {
	if s == nil {
		return true
	}
	same := func(f field) bool { return f.Language == "" || f.Language == c.languageOf(f.Name) }
	return s.Language == c.Language && !slices.ContainsFunc(s.Fields, func(f field) bool { return !same(f) })
}

// languages are those of the text of s; the index's own comes first.
func (s *shape) languages() []string {
	all := []string{s.Language}
	for _, f := range s.Fields {
		if f.Language != "" && !slices.Contains(all, f.Language) {
			all = append(all, f.Language)
		}
	}
	return all
}
