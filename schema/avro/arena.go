package avro

import "github.com/evertdb/evert/schema"

// An Arena holds what decoding makes: rows, and the bytes of values that do not
// lie in the record as they are. What was decoded with it is valid until Reset.
// The zero Arena is ready; it belongs to one goroutine.
type Arena struct {
	bytes   []byte
	values  []schema.Value
	origins []Origin
	scratch []byte // elements of the array that is being decoded
}

// Reset takes back all that was decoded with a; its memory is used again.
func (a *Arena) Reset() {
	a.bytes, a.values, a.origins = a.bytes[:0], a.values[:0], a.origins[:0]
}

// Where an arena is full a larger one is begun; what lies in the old one stays
// where it is until nothing refers to it.
const arenaRows, arenaOrigins = 16, 16

// row gives a row of n values, all unknown.
func (a *Arena) row(n int) schema.Row {
	if cap(a.values)-len(a.values) < n {
		a.values = make([]schema.Value, 0, max(n*arenaRows, 2*cap(a.values)))
	}
	from := len(a.values)
	a.values = a.values[:from+n]
	row := schema.Row(a.values[from : from+n : from+n])
	for i := range row {
		row[i] = schema.Unknown()
	}
	return row
}

// origin gives an empty Origin.
func (a *Arena) origin() *Origin {
	if len(a.origins) == cap(a.origins) {
		a.origins = make([]Origin, 0, max(arenaOrigins, 2*cap(a.origins)))
	}
	a.origins = append(a.origins, Origin{})
	return &a.origins[len(a.origins)-1]
}

// since gives the bytes appended after the arena had from of them.
func (a *Arena) since(from int) []byte { return a.bytes[from:len(a.bytes):len(a.bytes)] }
