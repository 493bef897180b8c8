package outlets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/bleve"
)

func bleveConnector() Connector {
	return Connector{
		Atomic: false, // a search knows no transactions
		has:    func(s *configs.Sink) bool { return s.Bleve != nil },
		Shape:  bleveShape,
		Open:   openBleve,
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

// BleveOutlet is a full-text index in the data directory. It is one for the sink's
// writers and for its readers.
type BleveOutlet struct {
	Index   *bleve.Index
	rejects deliver.Rejects
}

// IndexesDir is where the indexes of a deployment lie, by sink.
func IndexesDir(c *configs.Config) string { return filepath.Join(c.DataDir, "indexes") }

// The share of limits.memory that indexing one batch may need.
const indexShare = 5

func openBleve(p Place) (Outlet, error) {
	s := p.sink()
	languages := map[string]string{}
	for name, c := range s.Bleve.Columns {
		languages[name] = c.Language
	}
	index, err := bleve.New(bleve.Config{
		Dir: IndexesDir(p.Config), Name: p.Name, Topic: p.Topics[0], Language: s.Bleve.Language, Languages: languages,
		MaxFields: s.Bleve.MaxFields, MaxDepth: s.Bleve.MaxDepth, MaxDocumentBytes: int(s.Bleve.MaxDocumentBytes),
		BatchMemory: int(p.Config.Limits.Memory / indexShare), MaxHits: s.Bleve.MaxHits, MaxTerms: s.Bleve.MaxTerms, SearchTimeout: s.Bleve.SearchTimeout,
		Events: bleve.Events{
			Torn: func(build, why string) {
				p.Log.Warn("the index is put aside, and is filled anew", "build", build, "why", why)
			},
			Switched: func(build string) { p.Log.Info("the index that was filled is searched now", "build", build) },
			Trouble:  func(err error) { p.Log.Warn("the index is opened again", "error", err) },
		},
	})
	return &BleveOutlet{index, p.Rejects}, err
}

// Target implements outlet.
func (o *BleveOutlet) Target() (deliver.Target, error) { return o.Index.Target(o.rejects), nil }

// Auditor implements auditable.
func (o *BleveOutlet) Auditor() (deliver.Auditor, error) { return o.Index.Auditor(), nil }

// Close frees the index.
func (o *BleveOutlet) Close() error { return o.Index.Close() }
