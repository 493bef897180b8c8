package configs

// Bleve is an embedded full-text index.
type Bleve struct{}
