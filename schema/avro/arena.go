package avro

import "github.com/evertdb/evert/schema"

// An Arena holds what decoding makes: rows, and the bytes of values that do not
// lie in the record as they are. What was decoded with it is valid until Reset.
// The zero Arena is ready; it belongs to one goroutine.
type Arena struct {
	bytes   []byte
	values  []schema.Value
	origins []Origin
}

// Reset gives back all that was decoded with a; its memory is used again.
func (a *Arena) Reset() {
	a.bytes, a.values, a.origins = a.bytes[:0], a.values[:0], a.origins[:0]
}
