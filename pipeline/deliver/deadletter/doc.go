// Package deadletter keeps the rows that a system does not take: the dead letters
// of a sink.
//
//	Target ─► Reject ─┬─ stop: the sink ends there, and says at which record
//	                  └─ dead_letter, or told to skip it: a letter, durably, and on
//
// # The topic
//
// <deployment>.sinks.<sink>.dlq has one partition, belongs to the sink, and is
// compacted. A letter's key is the place of the record that was rejected,
//
//	<topic>/<partition>/<offset>@<identity of the topic>
//
// so that a letter is there once however often the record is read again. Its value
// is that of the record, byte for byte. A letter that was delivered after all, or
// is older than the retention, becomes a tombstone. The headers are those of the
// record, and:
//
//	evert-topic, evert-partition, evert-offset   its place
//	evert-incarnation                            of the history of its topic, if it is known
//	evert-key                                    its key, byte for byte
//	evert-value                                  record; tombstone or superseded, where the value is empty
//	evert-reason                                 the code; evert-what the sentence, without values
//	evert-sink, evert-time, evert-attempt        who could not deliver it, when (RFC 3339), for the how manieth time
//
// superseded says that the record was compacted away before it was rejected: a
// newer one of its key follows, and counts.
//
// # Bounds
//
// At most so many letters lie there (Config.Most): a sink that rejects everything
// stops, rather than to empty a topic into another one. If a letter cannot be
// written the sink stops too, before its place has passed the record (S16). The
// bytes of rows lie in the topic under the rights of all topics, and no longer than
// the retention, which is looked after at each start of the sink and once an hour
// while it writes letters (X21).
package deadletter
