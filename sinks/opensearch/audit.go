package opensearch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/document"
)

// An Auditor compares documents with what they should be, and puts them right. It
// implements deliver.Auditor.
type Auditor struct {
	o     Options
	c     *client
	at    *register // as it was when the documents were read; nil before
	shape *shape

	id, text []byte
	form     bytes.Buffer
}

var _ deliver.Auditor = (*Auditor)(nil)

// NewAuditor makes an auditor of what a target with these options delivers.
func NewAuditor(o Options) (*Auditor, error) {
	a := &Auditor{o: o}
	var err error
	a.c, err = newClient(&a.o)
	return a, err
}

// Expect implements deliver.Auditor.
func (a *Auditor) Expect(c *pipeline.Change) (id, form []byte, err error) {
	if a.shape == nil || a.shape.table != c.Table {
		if _, err := a.o.mappingOf(c.Table); err != nil {
			return nil, nil, err
		}
		a.shape = &shape{c.Table, document.New(c.Table.Columns)}
	}
	if c.Op == pipeline.Delete {
		a.id = appendID(a.id[:0], c.Table, c.Before)
		return a.id, nil, nil
	}
	a.id = appendID(a.id[:0], c.Table, c.After)
	a.text = a.shape.rows.Append(a.text[:0], c.After)
	form, err = a.formOf(a.text)
	return a.id, form, err
}

// formOf gives a document with its names in order and without fields that are null,
// which a document from before their column was added lacks. Numbers keep their
// digits.
func (a *Auditor) formOf(source []byte) ([]byte, error) {
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return nil, fmt.Errorf("a document cannot be read: %w", errUnreadable)
	}
	for name, v := range fields {
		if v == nil {
			delete(fields, name)
		}
	}
	a.form.Reset()
	err := json.NewEncoder(&a.form).Encode(fields)
	return a.form.Bytes(), err
}

var errUnreadable = errors.New("it is no JSON object")

const (
	auditPage = 500  // documents of one answer
	auditKeep = "5m" // how long the cluster keeps what is read between two answers
)

// Contents implements deliver.Auditor.
func (a *Auditor) Contents(ctx context.Context, emit func(id, form []byte) error) error {
	a.at = newRegister(a.c)
	if _, err := a.at.read(ctx); err != nil {
		return err
	}
	if err := a.c.refresh(ctx, a.o.Index); err != nil {
		return err
	}
	path := "/" + url.PathEscape(a.o.Index) + "/_search?allow_partial_search_results=false&scroll=" + auditKeep
	body := []byte(`{"size":` + strconv.Itoa(auditPage) + `,"sort":["_doc"],"query":{"match_all":{}}}`)
	var scroll string
	defer func() { a.endScroll(ctx, scroll) }()
	for {
		p := page{emit: func(id string, source []byte) error {
			form, err := a.formOf(source)
			if err != nil {
				return err
			}
			return emit([]byte(id), form)
		}}
		err := a.stream(ctx, path, body, &p)
		scroll = cmp.Or(p.scroll, scroll)
		if err == nil && p.partial {
			err = a.o.refuse(codeAnswer, "some shards did not answer, so that documents would seem to be missing", "see GET _cluster/health; then compare again")
		}
		if err != nil || p.hits == 0 {
			return err
		}
		path = "/_search/scroll"
		body, _ = json.Marshal(map[string]string{"scroll": auditKeep, "scroll_id": scroll})
	}
}

// endScroll frees what the cluster keeps for the reading. It ends by itself, too.
func (a *Auditor) endScroll(ctx context.Context, scroll string) {
	if scroll == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scrollEnd)
	defer cancel()
	_, _ = a.c.send(ctx, http.MethodDelete, "/_search/scroll", asJSON, fmt.Appendf(nil, `{"scroll_id":%q}`, scroll))
}

// scrollEnd is how long the end of a reading may take.
const scrollEnd = 5 * time.Second

// stream reads one answer without holding it: documents can be large.
func (a *Auditor) stream(ctx context.Context, path string, body []byte, p *page) error {
	r, err := a.c.begin(ctx, http.MethodPost, path, asJSON, body)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		answer, err := receive(r, nil)
		if err != nil {
			return err
		}
		return a.o.wrong("read documents", answer)
	}
	return p.read(r.Body)
}

// A page is one answer with documents.
type page struct {
	scroll  string
	hits    int
	partial bool // some shards did not answer, or the search ran out of time
	emit    func(id string, source []byte) error
}

// read goes through an answer: {"_scroll_id": …, "hits": {"hits": [{"_id", "_source"}, …]}, …}.
func (p *page) read(from io.Reader) error {
	d := json.NewDecoder(from)
	return members(d, func(name string) error {
		switch name {
		case "_scroll_id":
			return d.Decode(&p.scroll)
		case "timed_out":
			var late bool
			err := d.Decode(&late)
			p.partial = p.partial || late
			return err
		case "_shards":
			var shards struct{ Failed int }
			err := d.Decode(&shards)
			p.partial = p.partial || shards.Failed > 0
			return err
		case "hits":
			return members(d, func(name string) error {
				if name == "hits" {
					return p.readHits(d)
				}
				return skip(d)
			})
		}
		return skip(d)
	})
}

func (p *page) readHits(d *json.Decoder) error {
	if _, err := d.Token(); err != nil { // [
		return err
	}
	for d.More() {
		var hit struct {
			ID     string          `json:"_id"`
			Source json.RawMessage `json:"_source"`
		}
		if err := d.Decode(&hit); err != nil {
			return err
		}
		p.hits++
		if err := p.emit(hit.ID, hit.Source); err != nil {
			return err
		}
	}
	_, err := d.Token() // ]
	return err
}

// members goes through an object.
func members(d *json.Decoder, member func(name string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(errUnreadable, err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := member(name.(string)); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func skip(d *json.Decoder) error {
	var passed json.RawMessage
	return d.Decode(&passed)
}

// Repair implements deliver.Auditor.
func (a *Auditor) Repair(ctx context.Context, fixes []deliver.Fix) error {
	for i := range fixes {
		if err := a.repair(ctx, &fixes[i]); err != nil {
			return err
		}
	}
	return a.c.refresh(ctx, a.o.Index)
}

// repairTries is how often somebody may write a document while it is put right.
const repairTries = 10

// repair writes one document above the version that it has, and below that of the
// key's next record.
func (a *Auditor) repair(ctx context.Context, f *deliver.Fix) error {
	if f.Change == nil {
		return a.remove(ctx, f.ID)
	}
	place := deliver.PlaceOf(a.o.Topic, f.Change)
	version := deliver.VersionOf(a.o.Topic, f.Change) + 1
	next := version | 255 // below which the next one of the key is not
	for try := 0; try < repairTries && version < next; try++ {
		b := newBulk(maphash.MakeSeed())
		b.add(f.ID, place, version, f.Change.Op == pipeline.Delete)
		if f.Change.Op != pipeline.Delete {
			b.lines = append(document.New(f.Change.Table.Columns).Append(b.lines, f.Change.After), '\n')
		}
		b.end()
		it, err := a.one(ctx, b.lines)
		if err != nil {
			return err
		}
		current, conflicts := it.current()
		if !conflicts {
			return a.judge(&b.ops[0], it)
		}
		version = current + 1
	}
	return a.o.refuse(codeAnswer, "a document has a version that no record of the topic has, and cannot be put right", "fill the index anew: evert reset the sink")
}

func (a *Auditor) judge(o *op, it *item) error {
	switch o.judge(it) {
	case done:
		return nil
	case refused:
		return a.o.rejection(o, it.Error, nil).Why
	}
	return a.o.unknown(it)
}

// isStill is deliver.ErrMoved once somebody has written the position since the
// documents were read: the sink goes on elsewhere, and the topic may know by now what
// it did not.
func (a *Auditor) isStill(ctx context.Context) error {
	if a.at == nil {
		return nil
	}
	now := newRegister(a.c)
	if _, err := now.read(ctx); err != nil {
		return err
	}
	if now.seq != a.at.seq || now.term != a.at.term {
		return deliver.ErrMoved
	}
	return nil
}

// remove deletes a document that the topic has never known. It has no version that
// a later record would outrank, so it is done at rest alone.
func (a *Auditor) remove(ctx context.Context, id []byte) error {
	if err := a.isStill(ctx); err != nil {
		return err
	}
	line := append(document.AppendString([]byte(`{"delete":{"_id":`), id), "}}\n"...)
	it, err := a.one(ctx, line)
	if err != nil {
		return err
	}
	return a.judge(&op{delete: true}, it)
}

// one sends one operation.
func (a *Auditor) one(ctx context.Context, lines []byte) (*item, error) {
	path := "/" + url.PathEscape(a.o.Index) + "/_bulk?require_alias=true&" + bulkFields
	wait := a.c.patience()
	for {
		answer, err := a.c.send(ctx, http.MethodPost, path, asLines, lines)
		if err == nil && !answer.busy() {
			if !answer.ok() {
				return nil, a.o.wrong("repair a document", answer)
			}
			items, err := itemsOf(answer.body, 1)
			if err != nil {
				return nil, err
			}
			return &items[0], nil
		}
		if err := wait.again(ctx, answer, err); err != nil {
			return nil, err
		}
	}
}

// Close implements deliver.Auditor.
func (a *Auditor) Close() error {
	a.c.close()
	return nil
}
