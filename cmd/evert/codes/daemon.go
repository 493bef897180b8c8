package codes

// ofDaemon are the codes of the process itself: its folder, its listeners, its
// API, and what it says of its sources.
func ofDaemon() []Entry {
	return []Entry{
		{
			Code: "NO_SUCH_TABLE",
			Text: "The file has no source of that name, or the source captures no such table.",
			Mend: "Name it as SOURCE.SCHEMA.TABLE; `evert status` lists what is captured.",
		},
		{
			Code: "DATA_DIR_TAKEN",
			Text: "Another process works in this data directory. Two daemons in one would write the same topics, so the second one waits ten seconds for the first to end and then gives up, with exit code 3. Reading verbs take the directory too when no daemon runs, for as long as they read.",
			Mend: "Stop the process that the message names, or give this deployment a data_dir of its own.",
		},
		{
			Code: "DATA_DIR_ACCESS",
			Text: "The data directory cannot be made, or files in it cannot be written.",
			Mend: "Give the user that runs evert the right to write there, or name another data_dir.",
		},
		{
			Code: "NOTHING_CAPTURED",
			Text: "No daemon is running for this file, and its data directory is empty, so that there is nothing to show. A relative data_dir counts from the working directory: a daemon that was started elsewhere has another one.",
			Mend: "Start `evert run`, or run the verb in the directory in which the daemon was started.",
		},
		{
			Code: "NOT_RUNNING",
			Text: "No daemon runs for this file on this machine: what is shown was read from the data directory or the cluster, and nothing is captured meanwhile. The database keeps its log for us until one runs again.",
			Mend: "Start `evert run`, or the service that runs it.",
		},
		{
			Code: "PORT_TAKEN",
			Text: "An address below serve is in use, or cannot be listened on. A predecessor that is still ending is waited for, for ten seconds; then evert ends with exit code 3.",
			Mend: "Stop the other process, or name another address: port 0 takes a free one, none turns the listener off.",
		},
		{
			Code: "SOCKET_PATH",
			Text: "The control socket evert.sock cannot be made in the data directory. The system bounds the length of a socket's path to about 100 bytes, and some network file systems have no sockets.",
			Mend: "Name a data_dir with a shorter path on a local file system.",
		},
		{
			Code: "CERTIFICATE",
			Text: "The certificate and key below serve.tls cannot be read or do not belong together. They are read again when the files change; at a start they have to be right.",
			Mend: "Name PEM files of a certificate chain and of its private key, readable for the user that runs evert.",
		},
		{
			Code: "KAFKA_TLS_FILES",
			Text: "The files below kafka.tls or registry.tls cannot be read or hold no PEM certificates.",
			Mend: "Name readable PEM files in ca, cert and key.",
		},
		{
			Code: "FOREIGN_HOST",
			Text: "A request to serve.http or serve.registry names this machine by a name that is not its own while no token is asked for. A page in a browser can give its name this address, and would read and write here as if it were ours.",
			Mend: "Ask by address or as localhost; else set serve.token, or behind_proxy: true where a proxy guards the address.",
		},
		{
			Code: "UNAUTHORIZED",
			Text: "serve.token is set and the request did not carry it.",
			Mend: "Send the header `Authorization: Bearer TOKEN`.",
		},
		{
			Code: "TOO_MANY_REQUESTS", Passing: true,
			Text: "As many requests as limits.requests allows are in progress.",
			Mend: "Ask less often, or raise limits.requests.",
		},
		{
			Code: "BAD_REQUEST",
			Text: "The daemon does not understand a command that came over its control socket. Usually program and daemon are of different releases.",
			Mend: "Use the evert that the daemon was started from.",
		},
		{
			Code: "NO_SUCH_PATH",
			Text: "Nothing is served under the path of this request.",
			Mend: "GET /v1/status, /healthz, /readyz or /metrics.",
		},
		{
			Code: "NO_SUCH_SOURCE",
			Text: "The configuration has no source of this name.",
			Mend: "Run `evert status`, which lists the sources.",
		},
		{
			Code: "NO_SUCH_TOPIC",
			Text: "The name is neither a topic nor a captured table. A table is named as schema.table in the catalog's exact case; a topic is named <topic_prefix>.<schema>.<table>. Topics exist once their source has begun.",
			Mend: "Write one of the names that the message lists.",
		},
		{
			Code: "INTERNAL",
			Text: "The daemon could not answer a request for a reason of its own.",
			Mend: "Look for the cause in the daemon's log.",
		},
		{
			Code: "SOURCE_STUCK",
			Text: "The server writes, the source claims to work, and for a minute nothing was carried. An idle server looks different: its end lies where we are. The cause is usually a log that takes no commits, or a connection that neither delivers nor breaks. Health is red until something is carried again.",
			Mend: "Look at `evert status` and the daemon's log; when log and server both answer, restart the daemon: nothing is lost.",
		},
		{
			Code: "SOURCE_DISCONNECTED", Passing: true,
			Text: "The connection to the server was lost, and the source connects again by itself, in growing intervals up to reconnect_max. What the topics hold stays readable.",
			Mend: "Nothing has to be done here; see that the server runs and can be reached.",
		},
		{
			Code: "LOG_WAITS", Passing: true,
			Text: "Rows that were read wait for their commit, and for five seconds nothing was written or committed: brokers do not answer, a partition has fewer replicas in sync than min.insync.replicas, or a disk is slow. The source is held back at a bounded buffer, its connection is kept, and nothing is lost. After a minute this is SOURCE_STUCK.",
			Mend: "Wait, it goes on by itself; meanwhile see that the brokers answer and that every partition has enough replicas in sync.",
		},
		{
			Code: "SOURCE_WAITS", Passing: true,
			Text: "The source waits for something in the server: a long transaction that was open when its slot was made, or another process that still holds the slot.",
			Mend: "Wait, or end the transactions that the message names.",
		},
		{
			Code: "SOURCE_OWNED",
			Text: "Another daemon captures this source, perhaps on another machine: on a cluster one of them owns it and the others stand by. A reset beside it would be undone, so nothing was changed.",
			Mend: "Run the reset where that daemon runs, or stop it first.",
		},
		{
			Code: "LOG_FULL",
			Text: "The disk of the embedded log is full, but for a reserve that lets it end cleanly. Capture pauses; what is committed stays readable and nothing is lost, but the server keeps its own log for us meanwhile. It goes on by itself when there is room.",
			Mend: "Free some space on the disk of data_dir, or move data_dir to a larger one while the daemon is stopped.",
		},
		{
			Code: "SLOT_KEPT",
			Text: "A reset could not drop the replication slot, because another process reads from it or the right is missing. Nothing was changed.",
			Mend: "Stop whoever reads from the slot, or run the statement that the message shows as a superuser; then run the reset again.",
		},
		{
			Code: "DISK_LOW",
			Text: "The disk of data_dir has little room. A full one pauses capture, loses nothing, and lets the server keep its own log for us meanwhile.",
			Mend: "Free some space there, or move data_dir to a larger disk while the daemon is stopped.",
		},
		{
			Code: "MEMORY_LIMIT",
			Text: "The system would end the process before it reaches the memory that it aims to stay below: the limit of its cgroup, or the machine's memory, is too small for limits.memory.",
			Mend: "Lower limits.memory to what the message shows, or allow the process more.",
		},
		{
			Code: "OPEN_FILES",
			Text: "The system allows the process fewer open files than a daemon needs. The embedded log would fail in the middle of its work, so it does not begin, with exit code 3. What is allowed beyond that is shared between the log and connections.",
			Mend: "Raise the limit: `ulimit -n 1024` in the shell that starts it, LimitNOFILE= in a unit of systemd.",
		},
		{
			Code: "FILE_MODE",
			Text: "Other users of this machine may read the data directory, in which rows of the database lie, or a private key.",
			Mend: "Run the chmod that the message shows.",
		},
		{
			Code: "DATA_DIR_OTHER",
			Text: "The data directory holds the topics of a deployment of another name, and none of this one: the name in the file was changed, or data_dir is another's.",
			Mend: "Write the name that the message shows, or name another data_dir.",
		},
		{
			Code: "REGISTRY_UNREACHABLE", Passing: true,
			Text: "The schema registry does not answer. Tables whose schemas are known go on; a source with a table that is new or has changed waits, and tries again by itself.",
			Mend: "Start the registry, or correct registry.url; see that the network lets requests through.",
		},
		{
			Code: "REGISTRY_TLS",
			Text: "The schema registry's certificate is not trusted, is for another name, or has expired; or one side speaks TLS on this port and the other does not. Nothing was sent.",
			Mend: "Name the authority in registry.tls.ca, the name in registry.tls.server_name, or https or http in registry.url, as the message says.",
		},
		{
			Code: "REGISTRY_AUTH",
			Text: "The schema registry does not know who asks: it wants a password, a token or a client's certificate that it was not shown, or another one.",
			Mend: "Give registry.username and registry.password, or registry.token, or registry.tls.cert and registry.tls.key, as the registry wants it.",
		},
		{
			Code: "REGISTRY_MODE",
			Text: "The schema registry takes no new schemas, so that no table can be captured whose schema it does not have.",
			Mend: "Set its mode to READWRITE, with the command that the message shows.",
		},
		{
			Code: "REGISTRY_LEVEL",
			Text: "The schema registry compares new schemas with nothing: a table may change so that readers of its topic fail.",
			Mend: "Set the compatibility level to BACKWARD or stricter, with the command that the message shows.",
		},
		{
			Code: "REGISTRY_IDS",
			Text: "Records of a topic have schema ids that the registry does not know for it. It was wiped, or the file names another: readers would decode them with foreign schemas.",
			Mend: "Restore the registry's schemas with their ids, or name the right registry; else begin the topics anew: `evert reset SOURCE --yes`.",
		},
		{
			Code: "SOURCE_UNANSWERED",
			Text: "A check could not ask the server of a source, or of a sink, all it wanted: the connection broke, or a question took too long.",
			Mend: "See that the server takes connections, then run `evert check --connect` again.",
		},
		{
			Code: "DEMO_NO_SERVER",
			Text: "`evert demo --source mariadb` runs a MariaDB that is installed on this machine, from PATH or where distributions put it, and fetches none.",
			Mend: "Run the command that the message shows. It installs programs alone, and starts no service.",
		},
		{
			Code: "FILE_EXISTS",
			Text: "`evert init` does not replace a file: what stands in it may be in use.",
			Mend: "Name another with --out FILE, or remove the old one.",
		},
	}
}
