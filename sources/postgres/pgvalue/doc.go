// Package pgvalue turns what Postgres sends for a value, as text (the stream) or
// binary (COPY), into a schema.Value and back into text.
//
//	'2026-11-22 10:00:00.5+00' ─ Text ──┐
//	                                    ├─► Timestamp(…), the same bits either way (I6)
//	0002f1c2…                ─ Binary ──┘
//
// The text forms are those of a session with DateStyle ISO, TimeZone UTC,
// bytea_output hex and extra_float_digits 1 or more (hazard P44); the parsers are
// strict and take nothing else, so that a session with other settings is an error
// and not a wrong value. Errors name the type and never hold the value.
//
// Nothing is allocated per value: bytes of variable length are copied into the
// arena of the caller, who frees them all at once.
package pgvalue
