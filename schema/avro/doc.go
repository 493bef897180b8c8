// Package avro turns rows into Avro records and back.
//
// A Codec is compiled for one version of a table. Each column becomes a cell,
// which says how its values lie in Avro; writing a row is a walk over cells that
// appends to a byte slice and allocates nothing, reading is the same walk
// backwards into an Arena. The schema texts are made beside the cells and
// registered as they are, with defaults and properties. A library parses them,
// resolves them, and checks in tests that it would write the same bytes; on the
// way of a row it is not used.
//
//	schema.Table ─ Compile ─► cells ─► AppendKey, AppendValue ─► bytes
//	                       └► schema texts ─► registry
//	schema texts ─ ParseCodec ─► cells, schema.Table ─► DecodeKey, DecodeValue
//
// # Envelopes
//
// Debezium is that of Debezium 3.6 with Confluent's converter: the same fields
// in the same order with the same types and names. Row is the after-image
// alone, with Avro's logical types; its delete is a tombstone. In both every
// field of a row carries the properties "evert.type" (the source's name of the
// type) and "evert.column" (what else its schema.Column holds), and the row
// "evert.table", so that a reader needs the writer's schema and nothing else.
// Keys carry none of these, nor an enum's labels, nor a numeric's declared
// precision: a key's schema changes only when the bytes of its values do.
//
// # Types
//
//	source                 debezium                             row
//	bool                   boolean                              boolean
//	int2, int4, int8       int (int16), int, long               int, int, long
//	float4, float8         float, double                        float, double
//	numeric(p,s)           bytes, Connect Decimal, decimal      bytes, decimal
//	numeric                record VariableScaleDecimal          the same record
//	text types, opaque     string                               string
//	enum                   string, io.debezium.data.Enum        string
//	json, jsonb            string, io.debezium.data.Json        string
//	bytea                  bytes                                bytes
//	date                   int, io.debezium.time.Date           int, date
//	time(0-3)              int, io.debezium.time.Time           long, time-micros
//	time                   long, io.debezium.time.MicroTime     long, time-micros
//	timestamp(0-3)         long, io.debezium.time.Timestamp     long, local-timestamp-micros
//	timestamp              long, io.debezium.time.MicroTimestamp  long, local-timestamp-micros
//	timestamptz            string, io.debezium.time.ZonedTimestamp  long, timestamp-micros
//	uuid                   string, io.debezium.data.Uuid        string, uuid
//	interval               string, io.debezium.time.Interval    string
//	T[], one dimension     array of optional T                  array of optional T
//
// TYPES.md has all of Postgres's, one line each; a test writes it. Handling changes
// some of them, as Debezium's settings of the same names do.
//
// # Where Debezium and Avro have nothing
//
// Ours is lossless, and what a foreign reader does not know makes it fail
// rather than show a wrong number.
//
//	value                              is written as
//	numeric(p,s) NaN                   no bytes
//	numeric NaN, Infinity, -Infinity   VariableScaleDecimal of no bytes and scale 0, 1, -1
//	numeric(p,s), s < 0 or s > p       Connect Decimal without the logical type, which Avro forbids
//	date infinity, -infinity           the greatest and least int
//	timestamp infinity, -infinity      debezium: 9223372036825200000 and -9223372036832400000 µs, as
//	                                   Debezium; a thousandth of these in ms. row: the greatest and
//	                                   least long
//	timestamptz infinity, -infinity    debezium: the words, as Debezium. row: the greatest and least long
//	timestamptz beyond years 1 to 9999 debezium: ISO 8601 with a sign; year 0 is 1 BC
//	time 24:00                         86400000 ms, 86400000000 µs; as text 24:00:00Z
//	a duration of MySQL as a time      its number; as text -838:59:59Z
//	infinities in text                 the words
//	timestamp after 294247-01-10 04:00 in µs, which do not fit a long: wrapped around, see stamp.go
//	a finite timestamp that is the     a number that no timestamp has, see stamp.go
//	number for infinity
//	interval infinity, -infinity       the words
//	array of several dimensions        refused
//	NULL in a column with a default    null: it is never replaced by the default
//	a value the source did not send    refused with ErrUnknown (I5)
//
// A refusal is an error that names table and column, and never a value. It is
// for the caller to stop that table (I8).
package avro
