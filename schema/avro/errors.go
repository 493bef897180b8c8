package avro

import (
	"errors"
	"fmt"

	"github.com/evertdb/evert/schema"
)

// ErrUnknown says that a row holds a value that the source did not send, and
// so cannot be written (I5).
var ErrUnknown = errors.New("the source did not send the value; a record holds whole rows only (I5)")

// What a value may have against its column's Avro type. They stand alone so
// that the path of every value builds no text.
var (
	errNull      = errors.New("the value is NULL but the column is not nullable")
	errRange     = errors.New("the value does not fit the Avro type; drop the column from capture, or change its type at the source")
	errPrecision = errors.New("the value has more fractional digits than the column's type; it is never rounded")
	errFinerKey  = errors.New("the value is of a key and has digits finer than a millisecond, without which two keys could become one; choose another handling.time, or another key")
	errDecimal   = errors.New("the value is not decimal text")
	errInfinite  = errors.New("an infinite number does not fit a numeric with precision and scale")
	errNested    = errors.New("the array has several dimensions, which its Avro type does not have; drop the column from capture, or store one dimension")
	errInterval  = errors.New("the value does not have the 16 bytes of an interval")
	errUUID      = errors.New("the value does not have the 16 bytes of a UUID")
)

// kindError says that a value is not of its column's type.
type kindError struct{ want, have schema.Kind }

func (e *kindError) Error() string {
	return fmt.Sprintf("the value is of kind %s where the column's type asks for %s", e.have, e.want)
}

// columnError says which column of which table an error concerns.
func columnError(t *schema.Table, col int, err error) error {
	return fmt.Errorf("table %s, column %s: %w", t, schema.QuotePart(t.Columns[col].Name), err)
}
