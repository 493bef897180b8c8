package bleve

import (
	"errors"
	"strings"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/keyword"
	"github.com/blevesearch/bleve/v2/analysis/datetime/flexible"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/single"
	bleve "github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/mapping"
)

// lookup tells the library's queries how the fields of an index were indexed. It
// is immutable.
type lookup struct {
	shape *shape
	words analyzers
}

var _ mapping.IndexMapping = (*lookup)(nil)

// AnalyzerNameForPath says which analyzer made the terms of a field.
func (l *lookup) AnalyzerNameForPath(path string) string {
	if path == allField || path == idField {
		return l.shape.Language
	}
	if language, ok := strings.CutPrefix(path, allField+"."); ok {
		return language
	}
	if strings.HasSuffix(path, keywordPart) {
		return keyword.Name
	}
	for i := range l.shape.Fields {
		f := &l.shape.Fields[i]
		switch name := fieldName(f.Name); {
		case f.Kind == asJSON && strings.HasPrefix(path, name+"."):
			return f.Language
		case path != name:
		case f.Language != "":
			return f.Language
		default:
			return keyword.Name
		}
	}
	return l.shape.Language
}

// AnalyzerNamed gives one.
func (l *lookup) AnalyzerNamed(name string) analysis.Analyzer {
	if name == keyword.Name {
		return &analysis.DefaultAnalyzer{Tokenizer: single.NewSingleTokenTokenizer()}
	}
	return l.words[name]
}

// DefaultSearchField is where a query without a field looks.
func (l *lookup) DefaultSearchField() string { return allField }

// DateTimeParserNamed reads the days and instants of queries.
func (l *lookup) DateTimeParserNamed(string) analysis.DateTimeParser {
	return flexible.New([]string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02"})
}

// FieldMappingForPath has nothing that queries would ask for.
func (l *lookup) FieldMappingForPath(string) mapping.FieldMapping { return mapping.FieldMapping{} }

// Validate has nothing to say.
func (l *lookup) Validate() error { return nil }

// MapDocument is not how documents are made here.
func (l *lookup) MapDocument(*bleve.Document, any) error {
	return errors.New("documents are made from rows")
}
