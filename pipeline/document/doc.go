// Package document writes rows as JSON documents: what the HTTP interface answers
// with, and what sinks deliver.
//
// A row is an object by column name, in the order of its columns, with the values
// as Postgres's to_json writes them:
//
//	column                       in the document
//	NULL                         null
//	boolean                      true, false
//	integers, numeric, floats    an exact number; NaN and infinities as strings, as JSON has no number for them
//	json, jsonb                  embedded as it is, so that a view's jsonb_agg is an array of objects
//	arrays                       an array, of arrays where there are more dimensions
//	timestamps                   "2024-02-29T12:34:56.5", with "+00:00" behind where they have a zone; "infinity", and " BC" at the end
//	bytea                        a string, "\\x00ff"
//	everything else              a string of the text the server prints
//
// A document has no line ends, so that it can be a line of a file, an event's data,
// and a line of a bulk request.
package document
