// Package sandbox runs the scripts of transforms: Starlark, a small language that
// looks like Python and was made to be embedded. A script has no I/O, no clock, no
// chance and no state from call to call:
//
//	text ──► syntax tree ──► guarded ──► program ──► transform(row), once per row
//	                            │
//	                            └─ every operation and call goes through a guard, which
//	                               counts what it costs and what it makes
//
// # Bounds
//
// The interpreter counts steps. What it does not count, work inside one built-in
// function and memory, is counted here: the syntax tree is rewritten so that every
// operator and every call is a call of ours, which adds the sizes of its arguments
// to the steps, works out beforehand how large a result of repeating, joining and
// replacing would be, and adds what was made to the bytes. Nothing is given back
// within one call. Whether a script is stopped depends on script and row alone.
//
// Comparing and hashing count a value with all that it refers to, as often as it does:
// one that was put into itself many times over is stopped before it is looked at.
//
// # Names of columns
//
// A script names a column as row.name or row["name"], and no other way: a name that
// stands nowhere in its text as it is cannot be made up while it runs. So what a
// script may look at is known beforehand.
//
// # Errors
//
// An Error says where in the script, and of which kind; the interpreter's own
// words may quote a value of the row, and are not passed on.
package sandbox
