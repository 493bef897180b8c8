// Package sql turns the SQL of a view into a plan of dataflow: Postgres's
// dialect, so that the source database is the oracle.
//
//	text ──► syntax.Query ──► binder ──► relations ──► push ──► prune ──► dataflow.Plan
//
// The binder resolves names and types by Postgres's rules; what operators and
// functions mean is package scalar's. A relation's columns have numbers that are
// theirs alone in the whole query, so that conditions move without renaming:
//
//   - push moves each condition of WHERE, ON and HAVING down to where its columns
//     are: below inner joins, into the left side of a left join if it stands
//     behind the join, into the right side if it stands in its ON. Inner joins
//     and comma lists are one set of tables and conditions; they are joined in the
//     order of the text, but never without an equality.
//   - prune finds which columns are used at all; a scan carries only these and the
//     key.
//   - lower makes the nodes. Equalities between the sides of a join become its
//     key, cast to the type in which Postgres compares them; what is left is the
//     residual.
//
// # Views on views, WITH
//
// A view, or a query of WITH, is bound anew wherever it is named, as if its text
// stood there in brackets.
//
// # Exactness
//
// What would depend on something that is not in the rows is refused, with the
// text to write instead: order, ranges, min and max of text outside the C
// collation; equality under a collation that is not deterministic; the clock;
// chance; and the session's time zone, wherever Postgres would use it without
// being told: `timestamptz` made of `timestamp` and back, printed, truncated, or
// moved by days and months. Everything else the plan does as Postgres would.
//
// # FILTER
//
// As in Postgres, what an aggregate is given is worked out only for the rows that its
// FILTER passes: lower makes it a CASE, so that it cannot fail on the others.
//
// # Orders
//
// The ORDER BY of string_agg, array_agg, json_agg and jsonb_agg is made total by
// the columns that identify a row of what is aggregated, or by the arguments
// themselves if nothing does. Postgres leaves that order open; explain shows it.
package sql
