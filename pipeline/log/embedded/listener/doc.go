// Package listener serves the embedded log over Kafka's protocol, read-only, to
// every consumer that assigns its partitions itself: kcat, franz-go, the Java
// consumer with assign().
//
//	client ─► login ─► Metadata, ListOffsets ─► Fetch … ─► record batches
//	                                              │
//	        embedded.Log: Bounds, Moved, Peek ◄───┘
//
// It looks like a cluster of one broker without consumer groups. The log's own
// package stays without the protocol: this one alone imports kmsg, and reads
// through Log.Peek, because log.Reader holds the sweep back for whoever reads.
//
// # What a consumer sees
//
// Committed records only, with the log's own offsets, keys, values and headers,
// and the time at which the log took them (LogAppendTime). Gaps are as on a
// cluster: compaction leaves them between and within batches; where an aborted
// commit left one at the end, a control batch closes it, for without one a
// consumer that reads to the end would wait there for ever (K22). An empty batch
// would say the same, but librdkafka takes an answer without a message or a
// control record for a fetch size too small, and doubles it each time.
//
// Nothing is held back for a consumer: it may be as slow as it likes, and the
// sweep and the writers do not know of it. So the rule of every compacted topic
// holds: who stays away for longer than the topic's delete.retention.ms begins
// again at the start, or misses deletes (K17). The protocol has no word for that
// but OFFSET_OUT_OF_RANGE, which most clients answer by jumping to the end.
//
// # What is refused
//
// Requests for a group get GROUP_AUTHORIZATION_FAILED, writes
// TOPIC_AUTHORIZATION_FAILED or CLUSTER_AUTHORIZATION_FAILED: errors that clients
// report and do not repeat. A kind of request that ApiVersions does not list, a
// version outside its range, and bytes that are no request close the connection.
//
// # Bounds
//
// See Limits (I9). A connection has one request at a time. What waits holds
// nothing but its request; what is answered holds one of Limits.Fetches slots of
// about twice FetchBytes, until the client has taken it or Limits.Send is over.
// One batch above FetchBytes is let through at a time. A request is measured
// against the shape of its kind before anything is made for it (X18).
//
// # What it costs
//
// 200,000 records of 250 bytes with a key of 12 and one header, in memory, two
// cores shared with others (load 9), client and server in one process: the log's
// own reader 5.3 million records/s (1,500 MB/s); fetches whose answers are only
// counted 2.8 million/s, 0.53 of that; franz-go, which decodes them, 0.7 million/s.
package listener
