package avro

// Handling says how the values of some types are written, as Debezium's settings
// of these names do. The zero Handling is lossless.
type Handling struct {
	Decimal  Decimal
	Interval Interval
	HStore   HStore
	Binary   Binary
	Time     Time
}

// Decimal is decimal.handling.mode.
type Decimal uint8

// How a numeric is written.
const (
	Precise       Decimal = iota // as a decimal
	DecimalDouble                // as a double, which rounds
	DecimalString                // as text
)

// Interval is interval.handling.mode.
type Interval uint8

// How an interval is written.
const (
	IntervalString  Interval = iota // as ISO 8601
	IntervalNumeric                 // as microseconds, a month as a twelfth of 365.25 days: months and days are lost
)

// HStore is hstore.handling.mode.
type HStore uint8

// How an hstore is written.
const (
	HStoreJSON HStore = iota // as an object
	HStoreMap                // as a map of Avro
)

// Binary is binary.handling.mode.
type Binary string

// How bytes are written.
const (
	BinaryBytes Binary = ""
	Base64      Binary = "base64"
	Base64URL   Binary = "base64-url-safe"
	BinaryHex   Binary = "hex"
)

// Time is time.precision.mode, for dates, times and timestamps without a zone in
// Debezium's envelope.
type Time uint8

// The form of a date, and the unit of a time or timestamp.
const (
	Adaptive             Time = iota // as coarse as the column's type allows
	AdaptiveMicroseconds             // the same, but microseconds for every time of day
	Microseconds
	Nanoseconds // a timestamp outside the years 1677 to 2262 is refused
	Connect     // Kafka Connect's own types, in milliseconds: finer digits are cut off, and refused in a key
	ISOString   // text, with as many digits as there are
)
