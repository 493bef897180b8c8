// Package schema says what a row is: typed values, rows, and versioned tables.
//
// It knows no database, no wire format and no topic; everything else in Evert
// speaks through it. A Value is a small tagged union without a pointer per
// scalar, so that a million rows cost no garbage; a Row is its values in the
// column order of its Table; a Table is immutable and carries a version, so
// that a row is always read with the table it was written under (I6).
//
// Ownership: values of a variable length (text, bytes, decimals, JSON, arrays)
// refer to bytes they do not own. Whoever hands out a Row says how long these
// bytes live; Row.Clone makes a copy that lives on.
package schema
