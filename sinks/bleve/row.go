package bleve

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/blevesearch/bleve/v2/analysis"
	bleve "github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"

	"github.com/evertdb/evert/pipeline/document"
	"github.com/evertdb/evert/schema"
)

// The fields that every document has beside those of its columns. A column whose
// name begins with _ is indexed with one more before it.
const (
	idField     = "_id"     // the index's own
	sourceField = "_source" // the document as it was delivered; stored
	allField    = "_all"    // words of all text in the index's language; _all.de is that of a column's own
	nullsField  = "_nulls"  // the names of the columns that are NULL
	keywordPart = ".keyword"
)

// maxKeyword is the length of the longest text that is a keyword, in bytes.
const maxKeyword = 256

const (
	wordOptions    = index.IndexField | index.IncludeTermVectors
	keywordOptions = index.IndexField | index.DocValues | index.SkipFreqNorm
	valueOptions   = index.IndexField | index.DocValues
)

// A rower makes documents of the rows of one table version. One goroutine uses it.
type rower struct {
	table   *schema.Table
	encoder *document.Encoder
	columns []column
	words   analyzers
	json    *jsonFields
}

// column is how one is indexed.
type column struct {
	field
	name string       // of its field
	elem *schema.Type // of its values, or of the elements of arrays
	all  string       // the field of all words that its own go into
	by   analysis.Analyzer
}

func newRower(t *schema.Table, s *shape, words analyzers, json *jsonFields) *rower {
	r := &rower{table: t, encoder: document.New(t.Columns), words: words, json: json}
	for i := range t.Columns {
		c := column{field: *s.field(t.Columns[i].Name), elem: &t.Columns[i].Type}
		for c.elem.Kind == schema.KindArray && c.elem.Elem != nil {
			c.elem = c.elem.Elem
		}
		c.name, c.all, c.by = fieldName(c.Name), s.allOf(c.Language), words[c.Language]
		r.columns = append(r.columns, c)
	}
	return r
}

// fieldName is the field of a column, or of a path in one.
func fieldName(column string) string {
	if strings.HasPrefix(column, "_") {
		return "_" + column
	}
	return column
}

// allOf is the field of all words of a language.
func (s *shape) allOf(language string) string {
	if language == "" || language == s.Language {
		return allField
	}
	return allField + "." + language
}

// id gives the id of a row: the texts of its key as the path of a read has them.
func (r *rower) id(row schema.Row) string {
	var b strings.Builder
	for i, k := range r.table.Key {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(url.PathEscape(segment(&r.table.Columns[k].Type, row[k])))
	}
	return b.String()
}

// segment is a key column as paths write it: \N is NULL, and a text that is
// backslashes and then one N has one backslash more.
func segment(t *schema.Type, v schema.Value) string {
	if v.IsNull() {
		return `\N`
	}
	text := string(t.AppendText(nil, v))
	if slashes, isN := strings.CutSuffix(text, "N"); isN && slashes != "" && strings.Trim(slashes, `\`) == "" {
		return `\` + text
	}
	return text
}

// draft is a document that is being made.
type draft struct {
	*bleve.Document
	names map[string][]string // of the fields whose words go into a field of all words
	terms int                 // that it will have, roughly
}

// termBytes is what indexing needs for a term of a document, as it was measured:
// 220 bytes in long texts, 480 in short values.
const termBytes = 480

// The terms of a value: a word is some five letters long and goes into two fields,
// and a number is a term for every four of its bits.
func wordTerms(text []byte) int { return 2 * (1 + len(text)/5) }

const numberTerms = 16

// document makes the one of a row, and says how much memory indexing it will need,
// roughly. It keeps nothing of row.
func (r *rower) document(id string, row schema.Row, source []byte) (doc *bleve.Document, need int) {
	d := draft{bleve.NewDocument(id), map[string][]string{}, 1}
	d.AddField(bleve.NewTextFieldCustom(sourceField, nil, source, index.StoreField, nil))
	for i := range r.columns {
		c := &r.columns[i]
		switch {
		case row[i].IsNull():
			d.keyword(nullsField, []uint64{uint64(i)}, []byte(c.Name))
		case row[i].Kind() == schema.KindArray:
			r.elements(&d, c, row[i], nil)
		default:
			r.value(&d, c, row[i], nil)
		}
	}
	for all, names := range d.names {
		d.AddField(bleve.NewCompositeFieldWithIndexingOptions(all, false, names, nil, wordOptions))
	}
	return d.Document, len(source) + d.terms*termBytes
}

// elements indexes those of an array.
func (r *rower) elements(d *draft, c *column, v schema.Value, at []uint64) {
	for i, e := range v.Elements() {
		place := append(at[:len(at):len(at)], uint64(i))
		switch e.Kind() {
		case schema.KindNull:
		case schema.KindArray:
			r.elements(d, c, e, place)
		default:
			r.value(d, c, e, place)
		}
	}
}

func (r *rower) value(d *draft, c *column, v schema.Value, at []uint64) {
	switch c.Kind {
	case asText:
		d.text(c.name, c.all, at, v.Ref(), c.by)
	case asKeyword:
		d.keyword(c.name, at, plainText(c.elem, v))
	case asNumber:
		if n, ok := number(v); ok {
			d.number(c.name, at, n)
		}
	case asTime:
		d.time(c.name, at, v)
	case asJSON:
		r.json.add(d, c, v.Ref(), at)
	}
}

// text indexes the words of a text, and the text as it is unless it is long. It
// copies text twice: analyzers write small letters over what they read.
func (d *draft) text(name, all string, at []uint64, text []byte, by analysis.Analyzer) {
	d.words(name, all, at, append([]byte(nil), text...), by)
	if len(text) <= maxKeyword {
		d.keyword(name+keywordPart, at, append([]byte(nil), text...))
	}
}

// words indexes those of a text, which becomes the field's.
func (d *draft) words(name, all string, at []uint64, text []byte, by analysis.Analyzer) {
	d.AddField(bleve.NewTextFieldCustom(name, at, text, wordOptions, by))
	d.terms += wordTerms(text)
	if names := d.names[all]; len(names) == 0 || names[len(names)-1] != name {
		d.names[all] = append(names, name)
	}
}

func (d *draft) keyword(name string, at []uint64, text []byte) {
	if len(text) <= maxKeyword {
		d.AddField(bleve.NewTextFieldCustom(name, at, text, keywordOptions, nil))
		d.terms++
	}
}

func (d *draft) time(name string, at []uint64, v schema.Value) {
	if t, ok := instant(v); ok {
		if f, err := bleve.NewDateTimeFieldWithIndexingOptions(name, at, t, time.RFC3339Nano, valueOptions); err == nil {
			d.AddField(f)
			d.terms += numberTerms
		}
	}
}

func (d *draft) number(name string, at []uint64, n float64) {
	d.AddField(bleve.NewNumericFieldWithIndexingOptions(name, at, n, valueOptions))
	d.terms += numberTerms
}

// plainText is a value as a keyword.
func plainText(t *schema.Type, v schema.Value) []byte {
	if v.Kind() == schema.KindBool {
		return strconv.AppendBool(nil, v.Bool())
	}
	return t.AppendText(nil, v)
}

// number gives a value as a double; NaN is none that could be found.
func number(v schema.Value) (n float64, ok bool) {
	switch v.Kind() {
	case schema.KindInt:
		return float64(v.Int()), true
	case schema.KindFloat:
		return v.Float(), !math.IsNaN(v.Float())
	case schema.KindDecimal:
		n, err := strconv.ParseFloat(string(v.Ref()), 64)
		return n, (err == nil || math.IsInf(n, 0)) && !math.IsNaN(n)
	}
	return 0, false
}

// The instants that an index can hold are those whose nanoseconds fit 64 bits.
const firstYear, lastYear = 1678, 2261

// instant gives a date or timestamp as an instant; ok is false beyond the years
// that an index can hold.
func instant(v schema.Value) (t time.Time, ok bool) {
	switch v.Kind() {
	case schema.KindDate:
		t = time.Unix(v.Int()*86400, 0).UTC()
	case schema.KindTimestamp:
		if v.Int() > math.MaxInt64-schema.UnixEpoch2000 || v.Int() == schema.TimestampMinusInfinity {
			return t, false
		}
		t = time.UnixMicro(v.Int() + schema.UnixEpoch2000).UTC()
	}
	return t, t.Year() >= firstYear && t.Year() <= lastYear
}
