package opensearch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/document"
)

// A bulk gathers operations: lines of JSON, at most one operation per document
// that counts.
//
//	{"index":{"_id":"7","version":512,"version_type":"external"}}
//	{"id":7,"name":"Ann"}
//	{"delete":{"_id":"8","version":768,"version_type":"external"}}
type bulk struct {
	lines  []byte
	ops    []op
	newest map[uint64]int // by the hash of an id, its newest operation
	seed   maphash.Seed
	live   int // operations that count
}

// op is one operation: where its lines lie, and what of the topic it is.
type op struct {
	start, end       int
	idStart, idEnd   int // of the id in the action, as it is written
	version          int64
	partition        int32
	offset           int64
	delete, outdated bool
	replay           bool // a conflict with what the same record left is none
}

func newBulk(seed maphash.Seed) *bulk { return &bulk{newest: map[uint64]int{}, seed: seed} }

func (b *bulk) reset() {
	b.lines, b.ops, b.live = b.lines[:0], b.ops[:0], 0
	clear(b.newest)
}

// add begins an operation on the document id. What an operation before it does to
// the same document no longer counts. The document's line, if any, is appended to
// lines by the caller, who then calls end.
func (b *bulk) add(id []byte, place deliver.Place, version int64, gone bool) {
	o := op{start: len(b.lines), version: version, partition: place.Partition, offset: place.Offset, delete: gone}
	verb := `{"index":{"_id":`
	if gone {
		verb = `{"delete":{"_id":`
	}
	b.lines = append(b.lines, verb...)
	o.idStart = len(b.lines)
	b.lines = document.AppendString(b.lines, id)
	o.idEnd = len(b.lines)
	b.lines = append(b.lines, `,"version":`...)
	b.lines = strconv.AppendInt(b.lines, o.version, 10)
	b.lines = append(b.lines, `,"version_type":"external"}}`+"\n"...)
	b.outdate(&o)
	b.ops = append(b.ops, o)
	b.live++
}

// removal adds a delete of the document of an operation, with the version before its
// own: above those of all earlier records of the key, and below that of the record
// itself, which a replay may write while the server still remembers the delete. It is
// not among those that count.
func (b *bulk) removal(of *op) *op { return b.again(of, `{"delete":{"_id":`, of.version-1, true) }

// raise adds an operation once more, with another version of its record. It is not
// among those that count.
func (b *bulk) raise(of *op, version int64) *op {
	verb := string(b.lines[of.start:of.idStart])
	_, document, _ := bytes.Cut(b.lines[of.start:of.end], []byte("\n"))
	o := b.again(of, verb, version, of.delete)
	b.lines = append(b.lines, document...)
	o.end, o.replay = len(b.lines), of.replay
	return o
}

// again adds an action on the document of an operation.
func (b *bulk) again(of *op, verb string, version int64, gone bool) *op {
	o := &op{start: len(b.lines), version: version, partition: of.partition, offset: of.offset, delete: gone}
	b.lines = append(b.lines, verb...)
	o.idStart = len(b.lines)
	b.lines = append(b.lines, b.lines[of.idStart:of.idEnd]...)
	o.idEnd = len(b.lines)
	b.lines = fmt.Appendf(b.lines, `,"version":%d,"version_type":"external"}}`+"\n", version)
	o.end = len(b.lines)
	return o
}

func (b *bulk) outdate(o *op) {
	hash := maphash.Bytes(b.seed, b.lines[o.idStart:o.idEnd])
	if at, ok := b.newest[hash]; ok {
		if old := &b.ops[at]; bytes.Equal(b.lines[old.idStart:old.idEnd], b.lines[o.idStart:o.idEnd]) {
			old.outdated = true
			b.live--
		}
	}
	b.newest[hash] = len(b.ops)
}

// end closes the operation that add began.
func (b *bulk) end() { b.ops[len(b.ops)-1].end = len(b.lines) }

// counted gives the operations that count, in order.
func (b *bulk) counted() []*op {
	list := make([]*op, 0, b.live)
	for i := range b.ops {
		if !b.ops[i].outdated {
			list = append(list, &b.ops[i])
		}
	}
	return list
}

// body gives the lines of some operations: those of the bulk itself where they lie
// together.
func (b *bulk) body(ops []*op) []byte {
	first, last := ops[0], ops[len(ops)-1]
	together := true
	for i, o := range ops[1:] {
		together = together && o.start == ops[i].end
	}
	if together {
		return b.lines[first.start:last.end]
	}
	var out []byte
	for _, o := range ops {
		out = append(out, b.lines[o.start:o.end]...)
	}
	return out
}

// A verdict is what became of an operation.
type verdict uint8

const (
	done    verdict = iota
	kept            // done: the server has the same version or a newer one
	outrun          // a replay's: by its own record, of which there may be no document
	again           // not now
	refused         // not this row
	gone            // there is no index
	failed          // nothing that is known
)

// item is one operation of an answer.
type item struct {
	Status int      `json:"status"`
	Error  *failure `json:"error"`
}

// bulkFields are what is asked for of an answer: the status of each operation, and
// what is wrong with it.
const bulkFields = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.type"

// itemsOf reads the answer to so many operations. One that was torn, or tells of
// more or fewer, is an error: nothing is known of any.
func itemsOf(body []byte, ops int) ([]item, error) {
	var told struct {
		Items []map[string]item `json:"items"`
	}
	if err := json.Unmarshal(body, &told); err != nil {
		return nil, fmt.Errorf("the answer is torn: %w", err)
	}
	if len(told.Items) != ops {
		return nil, fmt.Errorf("the answer tells of %d operations, and %d were sent", len(told.Items), ops)
	}
	items := make([]item, ops)
	for i, m := range told.Items {
		for _, one := range m {
			items[i] = one
		}
		if len(m) != 1 || items[i].Status == 0 {
			return nil, fmt.Errorf("the answer does not tell of operation %d", i)
		}
	}
	return items, nil
}

// judge says what became of an operation (S01).
func (o *op) judge(it *item) verdict {
	if it.Status < 300 || o.delete && it.Status == http.StatusNotFound && it.Error == nil {
		return done // a delete of nothing is nothing
	}
	why := it.Error
	if why == nil {
		why = &failure{}
	}
	switch why.Type {
	case "version_conflict_engine_exception":
		return o.conflict(it)
	case "index_not_found_exception", "invalid_index_name_exception", "index_closed_exception":
		return gone
	case "mapper_parsing_exception", "document_parsing_exception", "strict_dynamic_mapping_exception", "parsing_exception", "x_content_parse_exception", "max_bytes_length_exceeded_exception":
		return refused
	case "illegal_argument_exception":
		if strings.Contains(why.Reason, "field") {
			return refused // a term that is too long, say
		}
		return failed // a pipeline that is not there, say
	}
	if (&answer{status: it.Status}).busy() {
		return again
	}
	return failed
}

// conflict: that the server has a version at least as high is what was wanted (S03):
// one index holds one incarnation of the topic alone. Anything else is not, and a
// replay, whose record is the newest of its key, knows of a document only where a
// newer record has written.
func (o *op) conflict(it *item) verdict {
	current, ok := it.current()
	last := o.version | 255 // below the key's next record
	switch {
	case ok && current < o.version, o.replay && (!ok || current == last-1 || current == last):
		return failed
	case o.replay && current < last:
		return outrun
	}
	return kept
}

// current gives the version that a conflict tells of; ok is false if it is none.
func (it *item) current() (version int64, ok bool) {
	if it.Error == nil || it.Error.Type != "version_conflict_engine_exception" {
		return 0, false
	}
	_, rest, _ := strings.Cut(it.Error.Reason, "current version [")
	text, _, _ := strings.Cut(rest, "]")
	version, err := strconv.ParseInt(text, 10, 64)
	return version, err == nil
}

// rejection tells of a row that the server does not take. The server's reason quotes
// values; only a field's name is taken from it, and only if it is a column's.
func (o *Options) rejection(p *op, why *failure, columns mapping) deliver.Rejection {
	place := deliver.Place{Topic: o.Topic, Partition: p.partition, Offset: p.offset}
	what := "the cluster does not take the row (" + why.Type + ")"
	if field := fieldIn(why.Reason); columns[field] != nil {
		what = fmt.Sprintf("the cluster does not take the row's %q (%s)", field, why.Type)
	}
	return deliver.Rejection{Place: place, Why: &pipeline.Refusal{
		Code:  codeRow,
		Where: fmt.Sprintf("index %s: %s/%d offset %d", o.Index, place.Topic, place.Partition, place.Offset),
		What:  what,
		Mend:  "correct the row or the field's opensearch.mapping, or write on_reject: dead_letter below the sink",
	}}
}

// fieldIn finds the name of the field that a reason tells of: field [id], or
// field="id" in Lucene's words.
func fieldIn(reason string) string {
	for _, around := range [][2]string{{"field [", "]"}, {`field="`, `"`}} {
		if _, rest, ok := strings.Cut(reason, around[0]); ok {
			name, _, _ := strings.Cut(rest, around[1])
			return name
		}
	}
	return ""
}
