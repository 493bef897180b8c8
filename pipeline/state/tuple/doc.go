// Package tuple turns rows into bytes, in two ways.
//
// A Key encodes some columns of a row so that byte order is SQL's order, as
// Postgres has it, and equal bytes mean SQL-equal values:
//
//	tuple  = column*
//	column = marker:byte payload          descending: every byte of the payload inverted
//	marker = 1 NULL, first | 2 a value | 3 NULL, last | 4 not sent (I5: never meant to be here)
//
//	bool              0 | 1
//	int, date, time,  tag:byte n big-endian bytes; tag = 0x80+n, below zero 0x7f−n;
//	timestamp         n = the fewest that hold it. Infinite dates are the ends of the range
//	float             8 bytes; −0 is 0, NaN is greatest
//	decimal           see decimal.go; 1.0 is 1.00, Infinity < NaN
//	text, bytes       bytes, 0 and 1 as 1 1 and 1 2, then 0; so C order
//	                  padded text without its trailing spaces
//	enum              place of its label, as an int; one that is not known: their count, then its text
//	uuid              16 bytes
//	interval          days of its total, as an int; the rest of a day in µs, as an int
//	array             column* 0 dimensions, see array.go
//
// No payload is the beginning of another, so the encoding of a tuple's first
// columns is the beginning of the whole, and all tuples of a group lie together.
//
// A row (AppendRow, ReadRow) is compact and exact instead: 1.00 stays 1.00.
//
// Neither way allocates per value. Nothing here keeps state: a Key may be used
// from any number of goroutines.
package tuple
