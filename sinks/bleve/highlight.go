package bleve

import (
	"bytes"
	"encoding/json"

	bleve "github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/highlight/format/html"
	fragments "github.com/blevesearch/bleve/v2/search/highlight/fragmenter/simple"
	"github.com/blevesearch/bleve/v2/search/highlight/highlighter/simple"
)

// What a highlight looks like: HTML in which everything of the row is escaped, and
// the words that were found are marked.
const (
	fragmentBytes  = 160
	fragmentsOfOne = 3
	markOn         = "<mark>"
	markOff        = "</mark>"
)

// highlight gives the fragments of a document around what was found, by field. The
// text is that of the stored document: it has all that was indexed.
func highlight(match *search.DocumentMatch, source []byte) map[string][]string {
	doc := bleve.NewDocument(match.ID)
	w := textWalk{doc: doc, wanted: match.Locations}
	w.columns(source)
	marker := simple.NewHighlighter(fragments.NewFragmenter(fragmentBytes), html.NewFragmentFormatter(markOn, markOff), "…")
	out := map[string][]string{}
	for field := range match.Locations {
		if found := marker.BestFragmentsInField(match, doc, field, fragmentsOfOne); len(found) > 0 {
			out[columnName(field)] = found
		}
	}
	return out
}

// columnName is what fieldName was made of.
func columnName(field string) string {
	if len(field) > 1 && field[0] == '_' {
		return field[1:]
	}
	return field
}

// textWalk gathers the texts of a stored document whose fields are wanted.
type textWalk struct {
	doc    *bleve.Document
	wanted search.FieldTermLocationMap
}

func (w *textWalk) columns(source []byte) {
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	var row map[string]any
	if d.Decode(&row) != nil {
		return
	}
	for column, value := range row {
		w.value(fieldName(column), column, value, nil)
	}
}

// value adds a value's texts. What went beyond the fields of its own was indexed
// under its column's name, so it is added there too.
func (w *textWalk) value(path, column string, value any, at []uint64) {
	switch v := value.(type) {
	case string:
		w.text(path, []byte(v), at)
		if path != fieldName(column) {
			w.text(fieldName(column), []byte(v), at)
		}
	case []any:
		for i, e := range v {
			w.value(path, column, e, append(at[:len(at):len(at)], uint64(i)))
		}
	case map[string]any:
		for name, e := range v {
			w.value(path+"."+name, column, e, at)
		}
	}
}

func (w *textWalk) text(field string, text []byte, at []uint64) {
	if _, ok := w.wanted[field]; ok {
		w.doc.AddField(bleve.NewTextField(field, at, text))
	}
}
