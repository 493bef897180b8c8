package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/bleve"
)

func bleveConnector() sinkConnector {
	return sinkConnector{
		atomic: false, // a search knows no transactions
		has:    func(s *configs.Sink) bool { return s.Bleve != nil },
		shape:  bleveShape,
		open:   openBleve,
	}
}

// bleveShape is what of the settings decides how rows are indexed.
func bleveShape(s *configs.Sink) string {
	var columns []string
	for name, c := range s.Bleve.Columns {
		columns = append(columns, fmt.Sprintf("%q %s", name, c.Language))
	}
	slices.Sort(columns)
	return "bleve " + s.Bleve.Language + " " + strings.Join(columns, ", ")
}

// bleveOutlet is a full-text index in the data directory. It is one for the sink's
// writers and for its readers.
type bleveOutlet struct {
	index   *bleve.Index
	rejects deliver.Rejects
}

// The share of limits.memory that indexing one batch may need.
const indexShare = 5

func openBleve(p sinkPlace) (outlet, error) {
	s := p.sink()
	languages := map[string]string{}
	for name, c := range s.Bleve.Columns {
		languages[name] = c.Language
	}
	index, err := bleve.New(bleve.Config{
		Dir: indexesDir(p.config), Name: p.name, Topic: p.topic, Language: s.Bleve.Language, Languages: languages,
		MaxFields: s.Bleve.MaxFields, MaxDepth: s.Bleve.MaxDepth, MaxDocumentBytes: int(s.Bleve.MaxDocumentBytes),
		BatchMemory: int(p.config.Limits.Memory / indexShare), MaxHits: s.Bleve.MaxHits, MaxTerms: s.Bleve.MaxTerms, SearchTimeout: s.Bleve.SearchTimeout,
		Events: bleve.Events{
			Torn: func(build, why string) {
				p.log.Warn("the index is put aside, and is filled anew", "build", build, "why", why)
			},
			Switched: func(build string) { p.log.Info("the index that was filled is searched now", "build", build) },
			Trouble:  func(err error) { p.log.Warn("the index is opened again", "error", err) },
		},
	})
	return &bleveOutlet{index, p.rejects}, err
}

// Target implements outlet.
func (o *bleveOutlet) Target() (deliver.Target, error) { return o.index.Target(o.rejects), nil }

// Auditor implements auditable.
func (o *bleveOutlet) Auditor() (deliver.Auditor, error) { return o.index.Auditor(), nil }

// Close frees the index.
func (o *bleveOutlet) Close() error { return o.index.Close() }
