package dataflow

// A Reader reads the state as it was when the epoch began. One goroutine uses
// it. Cursors may be open beside each other, and while Get is called.
type Reader interface {
	// Get gives the value of key; it is valid until the next call.
	Get(key []byte) (value []byte, ok bool, err error)
	// Scan goes over the keys from low, inclusive, to high, exclusive, in byte
	// order.
	Scan(low, high []byte) (Cursor, error)
}

// A Writer takes what an epoch changes. It copies. A key is written at most once
// in an epoch, and keys of one collection come in ascending order.
type Writer interface {
	Put(key, value []byte) error
	Delete(key []byte) error
}

// A Cursor goes over keys and values. One goroutine uses it.
type Cursor interface {
	// Next goes to the next entry; false at the end, or after an error.
	Next() bool
	// Key and Value are valid until the next call of Next.
	Key() []byte
	Value() []byte
	// Err is what ended the cursor early, if anything did.
	Err() error
	// Close frees it; it may be called again.
	Close() error
}

// A Sorter takes entries in any order and gives them back by key; entries of
// one key in the order in which they were added. Past a bound it spills. One
// goroutine uses it.
type Sorter interface {
	// Add copies the entry.
	Add(key, value []byte) error
	// Sort ends the adding. It may be called again, also while another cursor is
	// open: every cursor begins at the first entry.
	Sort() (Cursor, error)
	// Close drops everything.
	Close() error
}
