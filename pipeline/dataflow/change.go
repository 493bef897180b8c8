package dataflow

import "github.com/evertdb/evert/schema"

// A Change is one changed row of a view's result. The rows are valid until the
// callback returns.
type Change struct {
	Key schema.Row // its key columns
	Old schema.Row // nil: there was none
	New schema.Row // nil: there is none any more
}
