// Package postgres keeps a table of a Postgres database equal to a table topic or
// view, exactly once.
//
//	Write ─► rows as text, in memory ─► at a cut, one transaction:
//	                                     position · DELETE, INSERT … ON CONFLICT
//
// # The position
//
// A table of positions, evert_sinks, has a row for each sink: where to go on, and
// who owns the sink. It is moved first in every transaction, which locks it; a
// writer that was replaced finds another epoch there and commits nothing (I1,
// K05). Whether a COMMIT whose answer was lost took effect is read there (S12).
//
// # A fill
//
// A new sink gathers its rows in <table>__evert_fill. Where there is no table yet,
// that becomes the table; where there is one, the rows that differ are changed in
// it, in one transaction: readers see the old rows or the new ones, rows that are
// the same are not touched, and whatever hangs on the table stays. A table that
// holds rows of somebody else is refused unless the file says adopt.
//
// # Steps
//
// Rows are consolidated by key, the last wins, and are written in the order of
// keys. A small step is two statements over arrays. A large one goes by COPY
// through a temporary table, which is filled outside of any transaction: so a
// transaction of the source of any size is one transaction here, in bounded memory,
// and a deadlock costs nothing but another attempt (S11). The role needs the right
// TEMPORARY on the database for that.
//
// # Several tables
//
// A Group keeps several tables, each equal to its own topic, in one session. Their
// steps are one transaction, with one place; each has its own row in the table of
// positions, and takes the road that suits it. They are filled together, and switch
// together. A foreign key from one to another should be DEFERRABLE INITIALLY DEFERRED, for
// they are written one after the other: with another one, each step in which the order
// is wrong is written row by row. Where a row is refused, keys are looked at row by row
// too, and of rows of two tables that refer to each other neither is taken.
//
// A table that is taken out of the sink's list keeps its rows, and is given up when the
// sink is opened next: another sink may have it then, which with adopt makes it equal to
// its own topic. The sink knows it again when it is back in the list. The others are filled
// anew, beside what readers see, for the sink is another.
//
// # Values
//
// All go as the text that Postgres prints, and are read by the target's own types;
// see types for which they are. Nothing is lost on the way where the types are the
// same: NaN, infinity, years before Christ, arrays with NULL, the empty text.
//
// # Rows that the server refuses
//
// They are found by halving, inside the same transaction, and go to deliver.Rejects
// with table, column and constraint, and a hash of the key (S13). Where the sink goes
// on without such a row, an earlier version of it goes from the table: it would say
// what the topic does not; what the table does not let go stays, and the letter says
// so. Rows that only exchange unique values are
// not refused: each is tried again when the others are there.
//
// # What changes
//
// A new column is added. One that is gone from the topic stays, and is NULL in rows
// written from then on, or is dropped if the file says so. A type that grows without
// a rewrite is altered, any other change of a type fills the table anew; at that
// switch the table is rewritten, and a reader's older snapshot of it ends empty, as
// after every ALTER TABLE that rewrites. Of a table that Evert did not make no
// column is added or altered.
package postgres
