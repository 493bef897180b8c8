package codes

// ofLog are the codes of the log, embedded or on a cluster.
func ofLog() []Entry {
	return []Entry{
		{
			Code: "LOG_DIR_TAKEN",
			Text: "Another process has the embedded log open. The lock is the operating system's and goes away with that process, however it ends.",
			Mend: "Stop the process that the message names, or give this deployment a data_dir of its own.",
		},
		{
			Code: "LOG_DIR_FOREIGN",
			Text: "The directory of the embedded log holds something else, or parts of it were removed. Nothing in it is touched.",
			Mend: "Name another data_dir, or restore the directory as it was.",
		},
		{
			Code: "LOG_DIR_MISSING",
			Text: "There is no embedded log to read: nothing was captured into this data directory yet.",
			Mend: "Start `evert run`.",
		},
		{
			Code: "LOG_FORMAT_NEWER",
			Text: "A newer release wrote the embedded log in a format that this one cannot read. Older formats are read and carried over; newer ones are refused before anything is changed.",
			Mend: "Install the release that wrote it, or a later one.",
		},
		{
			Code: "KAFKA_CONFIG",
			Text: "A setting of the section kafka cannot be used as it stands.",
			Mend: "Correct the setting that the message names.",
		},
		{
			Code: "KAFKA_DENIED",
			Text: "The cluster refuses this user an operation. Evert needs to read, write and describe its topics, to use its transactional ids and, with topics.manage: create, to create topics. That it may not see the groups of readers is a finding and stops nothing: how far they are is not known then, and no alert tells when one falls behind.",
			Mend: "Grant the right that the message names to the user of kafka.sasl.",
		},
		{
			Code: "KAFKA_TRANSACTION_VERSION",
			Text: "The cluster's feature transaction.version is below 2, so that a late end of a transaction may strike the next one (KIP-890). Evert says so at each start, and its own readers drop what comes twice by its position.",
			Mend: "Upgrade the cluster to Kafka 4.0 or newer, then `kafka-features.sh … upgrade --feature transaction.version=2`.",
		},
		{
			Code: "KAFKA_REPLICATION",
			Text: "Topics have too few copies, or too few of them have to acknowledge: acknowledged records may go with one broker.",
			Mend: "Give topics three copies and min.insync.replicas=2, with the command that the message shows.",
		},
		{
			Code: "KAFKA_UNCLEAN_ELECTION",
			Text: "A broker that missed records may become the leader of a partition. What it missed is then lost without a word.",
			Mend: "Set unclean.leader.election.enable=false, with the command that the message shows.",
		},
		{
			Code: "KAFKA_CLOCK",
			Text: "The brokers' clocks are ahead of this machine's. How old a record is, and so whether compaction may have touched it, is told by both.",
			Mend: "Keep the clocks of all machines by NTP.",
		},
		{
			Code: "KAFKA_TRANSACTION_STUCK", Passing: true,
			Text: "A producer left a transaction open on a topic for longer than kafka.transaction_timeout. Whoever reads committed records sees nothing behind its first one, and the topic is not compacted there. Evert writes on. The producer is named by its id, and by its transactional id as long as a coordinator knows that.",
			Mend: "Stop that producer, if it runs; then end its transaction with the command that the message shows. What it wrote is dropped. A transaction of Evert's own is ended by a start of evert run; never abort it by hand.",
		},
		{
			Code: "KAFKA_COMMIT_HIDDEN", Passing: true,
			Text: "All brokers of the cluster went down at once, and when they came back the cluster forgot to end a transaction of Evert's that it had decided: nobody sees what was committed there. Evert ends it as it was decided, but this user may not. Nothing is lost, and nothing is written until it is ended. It is tried again by itself.",
			Mend: "Give the user the right that the message shows, for as long as this lasts, or end it as a user who has it: kafka-acls.sh --add --operation Alter --cluster.",
		},
		{
			Code: "KAFKA_COMMIT_UNDECIDED",
			Text: "A transaction of Evert's is open in a topic, and its coordinator has dealt with others since: nobody knows whether it was committed. It happens if all brokers go down at once in the very moment in which Evert starts. Do not abort it with kafka-transactions.sh: rows that count may go with it.",
			Mend: "evert reset SOURCE --yes begins the topics anew.",
		},
		{
			Code: "KAFKA_TRANSACTION_TIMEOUT",
			Text: "kafka.transaction_timeout is longer than the brokers' transaction.max.timeout.ms allows.",
			Mend: "Lower kafka.transaction_timeout, or raise transaction.max.timeout.ms on the brokers.",
		},
		{
			Code: "KAFKA_UNREACHABLE", Passing: true,
			Text: "No broker of the cluster answers. It is tried again by itself; what the source has not been told about stays in the server.",
			Mend: "See that a broker of kafka.brokers runs and can be reached from here, with the TLS and SASL that the file names.",
		},
		{
			Code: "KAFKA_TLS", Passing: true,
			Text: "The connection to a broker cannot be trusted or cannot be made: its certificate is not verified, or one side speaks TLS and the other does not. Nothing was sent over it. It is tried again by itself, with the files of kafka.tls read anew.",
			Mend: "Name the brokers' authority in tls.ca, and brokers by the names in their certificates; see which listener of the cluster speaks TLS.",
		},
		{
			Code: "KAFKA_AUTH", Passing: true,
			Text: "A broker does not let this client in: it does not take the user and secret of kafka.sasl, or the mechanism, or the client certificate of kafka.tls. It is tried again by itself, with secrets and certificates read anew.",
			Mend: "Correct kafka.sasl, or tls.cert and tls.key; see what the broker's listener asks for.",
		},
		{
			Code: "KAFKA_TOKEN", Passing: true,
			Text: "There is no bearer token to authenticate with: the one in the file has expired, or the token endpoint gives none. It is tried again by itself.",
			Mend: "Renew the token, or correct token_url, client_id, client_secret and scope of kafka.sasl.",
		},
		{
			Code: "TOPIC_INVALID",
			Text: "A topic cannot have the name or the numbers that are asked for.",
			Mend: "Correct the topic's settings in the file.",
		},
		{
			Code: "TOPIC_MISSING",
			Text: "A topic that held rows does not exist any more. It is never made anew by itself: that would look like an empty table (I8).",
			Mend: "Restore the topic, or copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TOPIC_RECREATED",
			Text: "A topic was deleted and another one made under its name. The rows that the old one held are gone.",
			Mend: "Copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TOPIC_PARTITIONS",
			Text: "A topic has another number of partitions than the file asks for. Adding partitions moves keys, so that the order of a key's changes would be lost (I4).",
			Mend: "Write the topic's real number of partitions into the file; or begin the topics anew: `evert reset SOURCE --yes`.",
		},
		{
			Code: "TOPIC_POLICY",
			Text: "A table topic has to be compacted, so that the newest row of each key stays, or append-only if the file says topic: {cleanup: delete}; this one is the other of the two. Rows cannot be made of a topic of changes, nor changes of rows.",
			Mend: "Write what the topic is into the file, or begin it anew: `evert reset SOURCE --yes`. If somebody changed the topic, set its cleanup.policy to what the message asks for.",
		},
		{
			Code: "TOPIC_SETTINGS",
			Text: "A setting of a topic is below what Evert's promises need: how long tombstones stay, how young records may be when they are compacted, or how large a record may be.",
			Mend: "Raise the setting to what the message asks for, or set topics.manage: create.",
		},
		{
			Code: "TOPIC_OWNED",
			Text: "Another source or deployment writes this topic: that is recorded in the topic __evert.topics of the log, and only one may. Nothing was written.",
			Mend: "Give the source a topic_prefix of its own; or give up the topic where the other one's file lies: `evert reset SOURCE --yes`.",
		},
		{
			Code: "TOPIC_FOREIGN",
			Text: "A table topic holds records, and it is recorded nowhere that Evert wrote them. They would be taken for rows that are gone from the database, and get tombstones; so nothing was written.",
			Mend: "Give the source a topic_prefix of its own, or delete the topic if nobody needs it.",
		},
		{
			Code: "TOPIC_SETTING_REFUSED",
			Text: "A managed cluster refuses a setting without which a table topic would lose rows or mix times: that it is compacted, how long young records and tombstones stay, or whose clock stamps them. The topic is not made.",
			Mend: "Write a value that the cluster takes below kafka.topics.config, not below what the message asks for; or have the topic made by somebody whom the cluster lets.",
		},
		{
			Code: "TOPIC_SETTING_LEFT_OUT",
			Text: "A managed cluster refuses a setting of your own, so the topic was made without it. This is a finding and stops nothing.",
			Mend: "Remove the setting, or give it a value that the cluster takes.",
		},
		{
			Code: "TOPIC_SETTING_DIFFERS",
			Text: "A topic that exists has one of your own settings otherwise. Settings are applied when a topic is made and never later. This is a finding and stops nothing.",
			Mend: "Run the command that the message shows, or write the topic's value into the file.",
		},
		{
			Code: "TOPIC_TRUNCATED",
			Text: "A topic ends below, or begins above, the place up to which it was written or read: committed rows are gone, perhaps by an unclean change of leader or by hand.",
			Mend: "Copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
	}
}
