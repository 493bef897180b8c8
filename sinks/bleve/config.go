package bleve

import (
	"cmp"
	"time"
)

// Config says what an index is like, and bounds it (I9).
type Config struct {
	Dir       string            // data_dir/indexes; made if need be
	Name      string            // of the sink, which is its folder in Dir
	Topic     string            // what it is made from; for the place of rejected rows
	Language  string            // of text; Plain if empty
	Languages map[string]string // of single columns

	MaxFields        int           // that JSON may add to an index; 1000 if 0
	MaxDepth         int           // of paths in JSON; 8 if 0
	MaxDocumentBytes int           // a larger document is rejected; 1 MiB if 0
	BatchMemory      int           // that indexing one batch of documents may need, roughly; 32 MiB if 0
	MaxHits          int           // that a search reaches, limit and offset together; 10,000 if 0
	MaxTerms         int           // that a query's prefixes, wildcards and typos may stand for; 10,000 if 0
	SearchTimeout    time.Duration // of one search; 10 s if 0
	LockTimeout      time.Duration // how long another process's lock is waited for; 10 s if 0
	Workers          int           // that take text apart; 2 if 0

	Events Events
}

// Events are told what an index does by itself. Each may be nil.
type Events struct {
	Torn     func(build, why string) // it was put aside, and will be filled anew
	Switched func(build string)      // readers see it now
	Trouble  func(err error)         // the index was closed, and is opened again
}

func (c *Config) setDefaults() {
	c.Language = cmp.Or(c.Language, Plain)
	c.MaxFields = cmp.Or(c.MaxFields, 1000)
	c.MaxDepth = cmp.Or(c.MaxDepth, 8)
	c.MaxDocumentBytes = cmp.Or(c.MaxDocumentBytes, 1<<20)
	c.BatchMemory = cmp.Or(c.BatchMemory, 32<<20)
	c.MaxHits = cmp.Or(c.MaxHits, 10_000)
	c.MaxTerms = cmp.Or(c.MaxTerms, 10_000)
	c.SearchTimeout = cmp.Or(c.SearchTimeout, 10*time.Second)
	c.LockTimeout = cmp.Or(c.LockTimeout, 10*time.Second)
	c.Workers = cmp.Or(c.Workers, 2)
	if c.Events.Torn == nil {
		c.Events.Torn = func(string, string) {}
	}
	if c.Events.Switched == nil {
		c.Events.Switched = func(string) {}
	}
	if c.Events.Trouble == nil {
		c.Events.Trouble = func(error) {}
	}
}
