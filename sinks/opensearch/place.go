package opensearch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/evertdb/evert/pipeline"
)

// A place is what the position document says: where the index's committed effects
// end, which indexes are meant, and who may write them. It lies in an index of its
// own beside, <index>-evert-position, which is not searched by wildcards. A commit
// is one write of it, taken only if it is still as the holder left it
// (if_seq_no, if_primary_term): whoever took it over fences the holder before.
type place struct {
	Owner  string `json:"owner"`  // deployment/sink
	Holder string `json:"holder"` // of this time, drawn anew at each Open
	Newest int    `json:"newest"` // number of the index that was made last

	Serving *held `json:"serving,omitempty"` // what readers see
	Filling *held `json:"filling,omitempty"` // what is being filled beside

	// Of Filling if there is one, else of Serving.
	Seq    uint64 `json:"seq"`
	Native string `json:"native"`
	Rows   uint64 `json:"rows"`
	State  []byte `json:"state,omitempty"`
}

// held is an index that is meant: a name, and the identity that the server gave it.
type held struct {
	Index string `json:"index"`
	UUID  string `json:"uuid"`
}

func (p *place) resume() pipeline.Resume {
	return pipeline.Resume{At: pipeline.Position{Seq: p.Seq, Native: p.Native}, Rows: p.Rows, State: p.State}
}

func (p *place) setResume(r pipeline.Resume) {
	p.Seq, p.Native, p.Rows, p.State = r.At.Seq, r.At.Native, r.Rows, r.State
}

// current is the index that is written to; nil: none was made yet.
func (p *place) current() *held {
	if p.Filling != nil {
		return p.Filling
	}
	if p.resume().At.IsZero() {
		return nil
	}
	return p.Serving
}

// A register is the position document, as somebody last saw it.
type register struct {
	c         *client
	path      string // of the document
	index     string // that it lies in
	seq, term int64  // of the version seen; −1: there is none
}

var errReplaced = errors.New("another process has taken the index over")

func newRegister(c *client) *register {
	index := c.o.Index + "-evert-position"
	return &register{c: c, index: index, path: "/" + url.PathEscape(index) + "/_doc/position"}
}

// take reads the place and makes us its holder.
func (r *register) take(ctx context.Context) (*place, error) {
	p, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	if p.Owner != "" && p.Owner != r.c.o.Owner {
		return nil, r.owned(p.Owner)
	}
	p.Owner, p.Holder = r.c.o.Owner, rand.Text()
	return p, r.write(ctx, p)
}

func (r *register) owned(owner string) error {
	return r.c.o.refuse(codeOwned, fmt.Sprintf("the sink %s delivers there", owner),
		"write another index below opensearch, or remove that sink and delete the index "+r.index)
}

// owner gives who delivers there; "": nobody yet.
func (r *register) owner(ctx context.Context) (string, error) {
	var doc struct {
		Source place `json:"_source"`
	}
	a, err := r.c.ask(ctx, http.MethodGet, r.path, nil, &doc)
	if err == nil && !a.ok() && a.status != http.StatusNotFound {
		err = r.c.o.wrong("read the position", a)
	}
	return doc.Source.Owner, err
}

// read gives the place as it is; a new one if there is none.
func (r *register) read(ctx context.Context) (*place, error) {
	var doc struct {
		Found  bool  `json:"found"`
		Seq    int64 `json:"_seq_no"`
		Term   int64 `json:"_primary_term"`
		Source place `json:"_source"`
	}
	a, err := r.c.ask(ctx, http.MethodGet, r.path, nil, &doc)
	if err != nil {
		return nil, err
	}
	switch {
	case a.status == http.StatusNotFound && a.kind() == "":
		r.seq = -1 // the index is there and the document is not
		return &place{}, nil
	case a.status == http.StatusNotFound:
		r.seq = -1
		return &place{}, r.create(ctx)
	case !a.ok():
		return nil, r.c.o.wrong("read the position", a)
	}
	r.seq, r.term = doc.Seq, doc.Term
	return &doc.Source, nil
}

// create makes the index of the position. Nothing of it is searched.
func (r *register) create(ctx context.Context) error {
	body := json.RawMessage(`{"settings":{"index":{"number_of_shards":1,"hidden":true,"auto_expand_replicas":"0-1","translog.durability":"request"}},"mappings":{"dynamic":false}}`)
	a, err := r.c.ask(ctx, http.MethodPut, "/"+url.PathEscape(r.index), body, nil)
	if err != nil || a.ok() || a.kind() == "resource_already_exists_exception" {
		return err
	}
	return r.c.o.wrong("make the index "+r.index, a)
}

// write replaces the place if nobody else did since it was seen. What is not known
// to have had an effect is not tried again: Open finds out.
func (r *register) write(ctx context.Context, p *place) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	condition := "?op_type=create"
	if r.seq >= 0 {
		condition = "?if_seq_no=" + strconv.FormatInt(r.seq, 10) + "&if_primary_term=" + strconv.FormatInt(r.term, 10)
	}
	a, err := r.c.send(ctx, http.MethodPut, r.path+condition, asJSON, body)
	if err != nil {
		return fmt.Errorf("write the position: %w", err)
	}
	if a.status == http.StatusConflict {
		return errReplaced
	}
	if a.busy() {
		return fmt.Errorf("write the position: %w", r.c.o.exhausted(a, nil))
	}
	var done struct {
		Seq  int64 `json:"_seq_no"`
		Term int64 `json:"_primary_term"`
	}
	if !a.ok() {
		return r.c.o.wrong("write the position", a)
	}
	if err := a.decode(&done); err != nil {
		return fmt.Errorf("write the position: %w", err)
	}
	r.seq, r.term = done.Seq, done.Term
	return nil
}
