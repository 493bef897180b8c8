// Package kafka is the log on a Kafka cluster: the interface of package log in
// terms of Kafka's transactions, raw fetches and consumer groups. franz-go lives
// here and nowhere else but in its registry client.
//
//	Log ─┬─ admin client          topics, settings, offsets, what is stuck
//	     ├─ Writer  ─ own client   one transactional id, one transaction at a time
//	     ├─ Reader  ─ own client   assignment ─ one fetcher per leader
//	     └─ Member  ─ own client   a consumer group without fetching
//
// Clients are not shared between writers, readers and members: a long poll would
// hold up what stands behind it on the same connection, and a fenced writer takes
// its whole client with it.
//
// # Connecting
//
// Every connection goes through Config.dial, which reads certificates anew (K28),
// puts TLS 1.2 or newer over it, and without TLS refuses to leave this machine
// (X01, X02). The client authenticates on each, and again within the life that
// the broker gives a session (KIP-368); what gives secrets is asked each time.
// What keeps the door shut is a Refusal from where it is seen: the client counts
// none of them as worth repeating, and who opened the log tries again as a whole.
//
// AWS_MSK_IAM exists as a cloud service alone: its signature is proved by AWS's
// published vectors, and nobody has seen it accepted.
//
// # Writing
//
// A Writer is a producer with the transactional id `<deployment>.<id>`. Opening
// it sends InitProducerID at once. The coordinator answers only when the
// transaction of the holder before is ended, and its markers are in the
// partitions: from then on nobody older can add a record, and the stable end is
// final for what the older ones wrote (K05, K07). acks=all and idempotence are
// fixed (K02, K04).
//
// A transaction goes through these states; whatever leads to "dead" leaves it to
// the next Writer of this id to find out what became of the commit.
//
//	        Append             Commit, Abort
//	empty ─────────► open ──────────────────► empty
//	                  │  produce or EndTxn fails, fenced, timed out
//	                  └─────────────────────► dead
//
// A commit is decided when Commit returns, and visible in all of its partitions
// some milliseconds later, when the coordinator has written its markers. Until
// then the stable end stands at its first record, so nobody sees a part of it in
// one partition; a reader that wants what was just committed waits for the
// stable end to pass what Flush gave.
//
// A cluster whose brokers went down all at once may forget the markers of what it
// has decided: while a partition has no leader, Apache Kafka 4.4 takes it for
// deleted. Its transaction stays open there, and whatever end this producer's next
// one gets ends both. The decision is on record with the coordinator until the
// next InitProducerID, so a Writer asks for it before that, aborts what is open
// itself for it to be on record, and writes the missing markers as a coordinator
// would (settle.go). A Writer that lives on does the same before it makes a new
// connection (ending.go). To write markers takes the right to Alter the cluster,
// which nothing else needs; without it the log waits with KAFKA_COMMIT_HIDDEN. A
// record of the same producer would do instead, but a crash beside it would abort
// what was committed. Where the decision is no longer known, the answer is
// KAFKA_COMMIT_UNDECIDED. Offsets of groups are left to the next commit of theirs:
// they decide nothing here.
//
// A commit of offsets without records needs no transaction: one OffsetCommit
// under the member's generation is atomic by itself.
//
// On a cluster with transaction.version below 2 a delayed EndTxn may strike the
// next transaction of the same epoch (K06). A Writer there that saw a connection
// die under an EndTxn is dead after that commit even if the repetition succeeded,
// so that the next one has a new epoch.
//
// # Reading
//
// Readers are read_committed (K10) and issue Fetch requests themselves, without
// sessions: only so is the progress over compacted, aborted and control records
// seen (K22). One fetcher goroutine per leader owns the place of its partitions,
// asks for the next data when the last were taken, and sends a partition whose
// leader moved back to the assignment, which asks for the new leader.
//
// # What the brokers may lose
//
// A broker acknowledges what lies in its memory and does not sync it to its disk.
// With acks=all and min.insync.replicas=2 of three replicas a record is gone only
// if two brokers lose their power, or their disks, at the same time; with one
// replica, when one does (K20). A log that became shorter is a refusal
// (TOPIC_TRUNCATED), for a sink when it opens and for a reader at its next fetch
// (K19). A full disk of a broker ends that broker: its partitions move, or are
// waited for (K01).
//
// # Topics
//
// Ensure creates topics with the settings that correctness needs and compares
// existing ones with them; a difference is a Refusal that names topic, setting,
// present and wanted value, and the command that mends it (K13, K14, K15, K18).
// Managed clusters refuse settings that others take. What is the user's own is
// left out then, and told as a finding; what correctness needs is a refusal.
// Kafka compacts when it likes: Compact answers errors.ErrUnsupported.
package kafka
