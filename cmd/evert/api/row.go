package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline/view/query"
)

// A Row is the answer to a read of one row.
type Row struct {
	Row      json.RawMessage `json:"row"` // an object by column name, in the view's order
	Position string          `json:"position"`
	Epoch    uint64          `json:"epoch"`
	Version  string          `json:"version"` // of the view's definition
	AsOf     *time.Time      `json:"as_of,omitempty"`
	Stale    *Staleness      `json:"stale,omitempty"`
}

// RowOf is the answer of a reader of one's own.
func RowOf(a *query.Answer) *Row {
	r := &Row{Row: a.Rows[0], Position: a.Epoch.At.String(), Epoch: a.Epoch.Number, Version: VersionText(a.Epoch.Version)}
	if !a.Epoch.Time.IsZero() {
		r.AsOf = &a.Epoch.Time
	}
	if a.Stale != nil {
		r.Stale = &Staleness{Code: a.Stale.Code, Detail: detailOf(a.Stale), Mend: a.Stale.Mend}
	}
	return r
}

// A Field is one column of a row.
type Field struct {
	Name  string
	Value json.RawMessage
}

// Columns are those of the row, in the view's order.
func (r *Row) Columns() ([]Field, error) { return fieldsOf(r.Row) }

// Columns are those of the document, in the order of its table or view.
func (h *Hit) Columns() ([]Field, error) { return fieldsOf(h.Document) }

func fieldsOf(object json.RawMessage) (fields []Field, err error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err = d.Token(); err != nil { // {
		return nil, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var f Field
		f.Name, _ = name.(string) // keys are
		if err := d.Decode(&f.Value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// Row reads a view's row by its key, one text for each key column as the path of
// the API has them; wait holds wait_for and timeout, or nothing.
func (c *Client) Row(ctx context.Context, view string, key []string, wait url.Values) (*Row, error) {
	segments := make([]string, len(key))
	for i, text := range key {
		segments[i] = escapeSegment(text)
	}
	path := "/v1/views/" + url.PathEscape(view) + "/rows/" + strings.Join(segments, "/")
	if q := wait.Encode(); q != "" {
		path += "?" + q
	}
	var r Row
	return &r, c.call(ctx, http.MethodGet, path, nil, &r)
}

// escapeSegment escapes a segment also where URLs would take it for a step up or
// none.
func escapeSegment(text string) string {
	switch text {
	case ".":
		return "%2E"
	case "..":
		return "%2E%2E"
	}
	return url.PathEscape(text)
}
