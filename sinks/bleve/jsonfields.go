package bleve

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// jsonFields are the fields that JSON has added to an index, and how many and how
// deep they may be (S05). One goroutine uses it.
type jsonFields struct {
	known     map[string]struct{}
	max       int
	maxLevels int
}

// admits says whether a path may be a field of its own.
func (j *jsonFields) admits(path string) bool {
	if _, ok := j.known[path]; ok {
		return true
	}
	if len(j.known) >= j.max {
		return false
	}
	j.known[path] = struct{}{}
	return true
}

// add indexes a JSON text: each leaf as a field of its path, or as words of the
// column itself where there would be too many or too deep.
func (j *jsonFields) add(d *draft, c *column, text []byte, at []uint64) {
	w := jsonWalk{fields: j, draft: d, column: c, tokens: json.NewDecoder(bytes.NewReader(text))}
	w.tokens.UseNumber()
	w.value(c.name, 0, at)
}

// jsonWalk goes over one text.
type jsonWalk struct {
	fields *jsonFields
	draft  *draft
	column *column
	tokens *json.Decoder
}

// value takes the next one, at a path.
func (w *jsonWalk) value(path string, level int, at []uint64) {
	token, err := w.tokens.Token()
	if err != nil {
		return // what is no JSON is stored as a string, and not indexed
	}
	open, nested := token.(json.Delim)
	switch {
	case !nested:
		w.leaf(path, token, at)
	case level >= w.fields.maxLevels:
		w.deep(at)
	case open == '{':
		for w.tokens.More() {
			name, err := w.tokens.Token()
			if err != nil {
				return
			}
			text, _ := name.(string)
			w.value(path+"."+text, level+1, at)
		}
		_, _ = w.tokens.Token()
	default:
		for i := uint64(0); w.tokens.More(); i++ {
			w.value(path, level+1, append(at[:len(at):len(at)], i))
		}
		_, _ = w.tokens.Token()
	}
}

// deep takes the rest of an object or array as words of the column.
func (w *jsonWalk) deep(at []uint64) {
	for levels := 1; levels > 0; {
		token, err := w.tokens.Token()
		if err != nil {
			return
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				levels++
			} else {
				levels--
			}
		default:
			w.overflow(t, at)
		}
	}
}

func (w *jsonWalk) leaf(path string, token json.Token, at []uint64) {
	if token == nil {
		return
	}
	if path != w.column.name && !w.fields.admits(path) {
		w.overflow(token, at)
		return
	}
	switch v := token.(type) {
	case string:
		w.draft.text(path, w.column.all, at, []byte(v), w.column.by)
	case bool:
		w.draft.keyword(path, at, strconv.AppendBool(nil, v))
		w.draft.keyword(path+keywordPart, at, strconv.AppendBool(nil, v))
	case json.Number:
		if n, err := v.Float64(); err == nil {
			w.draft.number(path, at, n)
		}
	}
}

// overflow indexes a leaf without a field of its own.
func (w *jsonWalk) overflow(token json.Token, at []uint64) {
	switch v := token.(type) {
	case string:
		w.draft.words(w.column.name, w.column.all, at, []byte(v), w.column.by)
	case json.Number:
		w.draft.words(w.column.name, w.column.all, at, []byte(v), w.column.by)
	}
}
