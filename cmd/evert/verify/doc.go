// Package verify compares what a daemon wrote with what it should hold, row by row: a table's
// topic with the table, a view with its query's answer, a sink's system with its topic.
//
//	api.VerifyRequest ─► Verifier ─► comparison ─┬─ a table: its rows, or what steps make of them ◄─ a Pin
//	                                             ├─ a view: its query answered, or worked out    ◄─ a Pin
//	                                             └─ a sink: its audit, while it rests at a cut
//
// Both sides are sorted and merged by package compare. A Capture is asked to stand still at the
// place of the Pin, for a moment.
package verify
