// Package query reads views: one row by its key, rows by filters and order, page
// after page over one cut, and the changes from then on. Every answer says at
// which position of each source it is true (I7).
//
//	URL ─► Request ─► plan: which order of the store, which ranges ─► Snapshot ─► JSON
//	                                                                    │
//	wait_for ─► until the newest epoch has reached it ──────────────────┘
//	            (the source and the view are told, and make haste)
//
// # Filters and order
//
// A view is kept in the order of its key, and in that of each declared index
// followed by the key. A request can be answered when one of these orders has
//
//	columns with =, is.null or in   then   one column with a range   then   anything
//
// and what is asked for in order= is how the rest of it runs, forward or
// backward. Everything else would read the whole view for one page: it is
// refused, with the line to add below the view's indexes.
//
// Order is that of the store: C order for texts, NULL last; backward NULL first,
// as Postgres has it by default.
//
// # One cut
//
// An answer is read from one Snapshot, which is the view as of one epoch. Paging
// holds that snapshot under a lease that the cursor names, so the pages of one
// reading belong together whatever the view does meanwhile. Leases are bounded in
// number and time (I9); one that is over is refused and never begun anew in
// silence.
//
// # Position
//
// A position names a place of every source the view reads:
//
//	position = place ("~" place)*        by name of source
//	place    = source ":" native         % and two hex digits for what is not plain
//
// It is what wait_for takes. A client that sends back what it was given sees that
// or later, however many daemons answered in between (R21): waiting asks the
// source what "later" means, never the bytes.
//
// # Values
//
// Rows are JSON objects as Postgres's to_json makes them: integers and numerics
// are exact numbers, NaN and infinities strings, bytes "\x…", timestamps ISO 8601
// with a T, json is embedded, arrays are arrays.
package query
