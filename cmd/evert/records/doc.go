// Package records turns the records of a topic into JSON lines for people and
// scripts, whatever envelope they were written in.
//
//	record ─ wire header ─► schema id ─► registry ─► codec ─► row ─► JSON
//
// One line is one object:
//
//	{"topic": …, "partition": …, "offset": …, "key": {…}, "op": …,
//	 "before": {…}, "after": {…}, "position": {…}, "ts": …}
//
// key, before and after are objects by column name, with values as
// schema.Type.AppendJSON writes them: integers and finite decimals are exact
// numbers, everything else the text that the server prints, null is SQL NULL
// and nothing else. op is Debezium's letter: r c u d t; a record of the row
// envelope, which does not say, has r. A tombstone has op and after null.
// position is where the row comes from: incarnation, seq and row as in the
// record's header, and native where the envelope says it.
package records
