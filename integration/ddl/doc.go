// Package ddl lets tables be altered in every way while they are captured.
//
//	program: seeded transactions of rows and DDL, made from what the catalog has now
//	         start ──► some of it ──► kill -9, or SIGTERM     over and over
//	         run --until-caught-up
//	         every topic whose table is not told to have stopped, folded by key, is the table
//
// Beside the tables that are altered lies one that never is; it never stops. A
// program is replayed by its seed; the moments of kills are not.
//
// EVERT_CRASH_RUNS divided by ten is the number of programs; with EVERT_FULL=1 they are
// four times as long.
package ddl
