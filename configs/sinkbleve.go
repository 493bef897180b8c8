package configs

import "time"

// Bleve is an embedded full-text index.
type Bleve struct {
	// The language of text: its endings, stop words and spellings. none takes words as they are, in small letters.
	Language string `yaml:"language" enum:"none,ar,cjk,ckb,da,de,en,es,fa,fi,fr,hi,hr,hu,it,nl,no,pl,pt,ro,ru,sv,tr" default:"none"`
	// What differs for single columns, by name.
	Columns map[string]*BleveColumn `yaml:"columns" keys:"column"`
	// Fields that the paths of JSON columns may add; what is beyond is found as words of its column.
	MaxFields int `yaml:"max_fields" default:"1000" min:"1" max:"100000"`
	// Levels of a JSON column that become fields; what is deeper is found as words of its column.
	MaxDepth int `yaml:"max_depth" default:"8" min:"1" max:"100"`
	// A row whose document is larger is rejected, see on_reject. Taking its text apart needs up to 65 times that in memory.
	MaxDocumentBytes Size `yaml:"max_document_bytes" default:"1MiB" min:"1KiB" max:"1GiB"`
	// Hits that a search reaches, limit and offset together.
	MaxHits int `yaml:"max_hits" default:"10000" min:"1" max:"1000000"`
	// Terms that the prefixes, wildcards and typos of one query may stand for.
	MaxTerms int `yaml:"max_terms" default:"10000" min:"1" max:"1000000"`
	// The longest that one search may take.
	SearchTimeout time.Duration `yaml:"search_timeout" default:"10s" min:"10ms" max:"10m"`
}

// A BleveColumn is what differs for a column of an index.
type BleveColumn struct {
	// The language of its text; that of the index by default.
	Language string `yaml:"language" enum:"none,ar,cjk,ckb,da,de,en,es,fa,fi,fr,hi,hr,hu,it,nl,no,pl,pt,ro,ru,sv,tr"`
}
