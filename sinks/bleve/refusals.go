package bleve

import (
	"fmt"

	"github.com/evertdb/evert/pipeline"
)

// The codes of this package's refusals.
const (
	CodeLocked    pipeline.Code = "INDEX_LOCKED"
	CodePlace     pipeline.Code = "INDEX_PLACE"
	CodeDocument  pipeline.Code = "INDEX_DOCUMENT_SIZE"
	CodeNotReady  pipeline.Code = "INDEX_NOT_READY"
	CodeRebuilt   pipeline.Code = "INDEX_REBUILDING"
	CodeQuery     pipeline.Code = "SEARCH_INVALID"
	CodeTooWide   pipeline.Code = "SEARCH_TOO_WIDE"
	CodeSlow      pipeline.Code = "SEARCH_TIMEOUT"
	CodeTakenOver pipeline.Code = "INDEX_TAKEN_OVER"
)

func locked(dir string) error {
	return &pipeline.Refusal{Code: CodeLocked, Where: dir, What: "another process has the index open", Mend: "stop the other process, or give this deployment a data_dir of its own"}
}

func badPlace(name string) error {
	return &pipeline.Refusal{Code: CodePlace, What: fmt.Sprintf("%q cannot be a folder of data_dir/indexes", name), Mend: "call the sink by small letters, digits, - and _"}
}

func takenOver(name string) error {
	return &pipeline.Refusal{Code: CodeTakenOver, Where: name, What: "a newer writer owns the index", Mend: "nothing: the newer one goes on"}
}

func tooLarge(table string, size, limit int) *pipeline.Refusal {
	return &pipeline.Refusal{Code: CodeDocument, Where: table, What: fmt.Sprintf("the document of a row has %d bytes, above max_document_bytes, which is %d", size, limit),
		Mend: "raise bleve.max_document_bytes of the sink, or write `on_reject: dead_letter`"}
}

func badQuery(what, mend string) error {
	return &pipeline.Refusal{Code: CodeQuery, What: what, Mend: mend}
}

func tooWide(limit int) error {
	return &pipeline.Refusal{Code: CodeTooWide, What: fmt.Sprintf("the query stands for more than %d terms", limit), Mend: "write a longer prefix, fewer wildcards, or raise bleve.max_terms of the sink"}
}

func tooSlow(err error) error {
	return &pipeline.Refusal{Code: CodeSlow, What: "the search took longer than it may", Err: err, Mend: "ask for something narrower, or raise bleve.search_timeout of the sink"}
}
