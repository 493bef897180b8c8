// Package compare finds the rows in which two sides differ: what a topic or a
// view holds, and what the database has. It knows neither of them: each side adds
// its rows, in any order, to a sorter, by the bytes of their keys; the sorted
// sides are then merged.
//
//	rows of the one   ──► sorter ──► newest of each key ─┐
//	                                                     ├─► Merge ─► Report
//	rows of the other ──► sorter ────────────────────────┘
//
// Keys are tuples of pipeline/state/tuple, so two sides that write a number or a
// text otherwise still mean the same key. A row is its columns as texts, as the
// database prints them, or a hash of one that is long.
//
// A Report names keys, and never another value of a row.
package compare
