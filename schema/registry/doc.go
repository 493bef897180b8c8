// Package registry gives schemas ids, so that a record can name its schema in
// four bytes.
//
// Registry is what the rest of Evert needs of one. Client speaks to a server
// with Confluent's protocol; Fixed registers nothing and finds what others did;
// Local is the registry inside the process, which keeps its state in a compacted
// topic. Package rest serves a Local to others.
//
//	Add ─► the same schema under this subject? ─► its id
//	         │ no
//	         ▼
//	       take the topic over ─► read to its end ─► compatible, and allowed by the mode?
//	         │                                         no: an Error with Confluent's code
//	         ▼ yes
//	       id of the same schema elsewhere, or the next one
//	         │
//	         ▼
//	       Store.Append: fenced and committed ─► only now it counts
//
// The records are those of Confluent's `_schemas` topic, so that they can be
// read by others and moved elsewhere. Any number of processes may have a Local
// over one topic: reading takes nothing over, and whoever writes reads first what
// the others wrote, so that ids are given out under one fence at a time. An
// append whose end is unknown is looked for in the topic before anything else is
// decided: only the log is believed. An id never comes again, even when the
// version that had it was deleted for good.
//
// What counts as the same schema is its normal form (avro.Normal) with its
// references, properties and defaults included. (Confluent's parsing canonical
// form leaves both out, and so do the fingerprints of Avro libraries.)
package registry
