// Package oracle compares views with the database's own answer: the same SQL, at
// the same position, gives the same rows.
//
//	program.New(seed) ──► tables, a view, transactions
//	      │
//	      ├──► Postgres: runs them; after each, answers the view's SQL ──┐
//	      │        │ rows of the tables                                  ├──► equal?
//	      └──► sql.Compile ──► dataflow, one epoch per transaction ──────┘
//
// Where the database's answer is an error of SQL, the view has to stop with the same
// SQLSTATE, keep what it had, and go on behind the transaction that mends it.
//
// A failure names its seed; EVERT_ORACLE_SEED=n runs that one alone and prints
// the program. EVERT_FULL=1 runs 5,000 programs, EVERT_ORACLE_RUNS=n runs n.
package oracle
