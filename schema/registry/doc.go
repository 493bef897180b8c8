// Package registry gives schemas ids, so that a record can name its schema in
// four bytes.
//
// Registry is what the rest of Evert needs of one. Client speaks to a server
// with Confluent's protocol; Local is the registry inside the process, which
// keeps its state in a compacted topic:
//
//	Register ─► known text under this subject? ─► its id
//	              │ no
//	              ▼
//	            compatible with the subject's earlier versions? ─► no: ErrIncompatible
//	              │ yes
//	              ▼
//	            id of the same text elsewhere, or the next one
//	              │
//	              ▼
//	            Store.Append: fenced and committed ─► only now it counts
//
// The records are those of Confluent's `_schemas` topic, so that they can be
// read by others and moved elsewhere. Ids are given out only by the one writer
// that the Store lets append; a second one fails there and hands out nothing. An
// append whose end is unknown makes Local read everything again before the next
// one: only the log is believed.
//
// What counts as the same schema is its JSON text without white space,
// properties and defaults included. (Confluent's parsing canonical form leaves
// both out, and so do the fingerprints of Avro libraries.)
package registry
