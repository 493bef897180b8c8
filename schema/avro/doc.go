// Package avro turns rows into Avro records and back.
package avro
