package codes

// ofReads are the codes of reading views.
func ofReads() []Entry {
	return []Entry{
		{
			Code: "READ_INVALID",
			Text: "A read of a view cannot be understood: a column that the view does not have, a value that is not one of the column's type, a filter, an order or a position that is written wrongly, or filters that no single index can answer.",
			Mend: "Write it as the message says; the form of reads is in cmd/evert/api/READS.md.",
		},
		{
			Code: "INDEX_NEEDED",
			Text: "The view is kept in the order of its key and of its declared indexes, and none of them answers these filters and this order without reading the whole view.",
			Mend: "Add the index that the message names to the view's indexes in the file.",
		},
		{
			Code: "NO_SUCH_ROW",
			Text: "The view has no row with this key, at the position that the answer names. A row that was committed a moment ago may not have come through yet.",
			Mend: "Look at the key; to see a write of your own, add wait_for with the position behind its commit.",
		},
		{
			Code: "NO_SUCH_VIEW",
			Text: "The configuration has no view of this name.",
			Mend: "GET /v1/views lists the views.",
		},
		{
			Code: "NO_DAEMON",
			Text: "Views are shown, and compared with their database, by the daemon that keeps them current, and none runs for this file. A relative data_dir counts from the working directory.",
			Mend: "Start `evert run`, or run the verb in the directory in which the daemon was started; `evert get` can ask another daemon with --server.",
		},
		{
			Code: "VERIFY_IMPOSSIBLE",
			Text: "A comparison of a table or a view with its database could not be made: what it has to be compared at one position did not come to it.",
			Mend: "Do what the message says, and compare again.",
		},
		{
			Code: "CURSOR_GONE",
			Text: "A cursor holds the view as it was at its first page. It ends when it is not used for serve.cursor_ttl, when more than limits.cursors are open and it was used longest ago, and with the daemon.",
			Mend: "Read again from the first page, without cursor; or raise serve.cursor_ttl or limits.cursors.",
		},
		{
			Code: "WAIT_TIMEOUT", Passing: true,
			Text: "The view did not come to the position of wait_for in time. The source may be behind, a commit's log may not be flushed yet, or the view has stopped. Nothing is answered then, because it might lack the write that is waited for.",
			Mend: "Ask again with the same wait_for, or with a longer timeout; limits.wait_timeout is the longest.",
		},
		{
			Code: "VIEW_NOT_READY", Passing: true,
			Text: "The view has no rows that may be shown yet: it fills for the first time, and a part of it would be no state that the database ever had. Or another daemon of the deployment keeps it current now, and this one shows what it last had.",
			Mend: "Ask again, or the other daemon; the message and `GET /v1/views/VIEW` tell the progress.",
		},
		{
			Code: "VIEW_OLD_VERSION", Passing: true,
			Text: "The definition of the view, or the type of a column that it uses, has changed, and the view is being built anew. Until it is complete the rows of the definition before are shown, as they were when that began: whole transactions, none of which came later. `version` in the answer is another one than `evert explain` shows. A read that waits for a later position is never answered from them; it waits for the new rows.",
			Mend: "Wait for the new definition: read with wait_for and a position of now. `evert status` says how far it is.",
		},
		{
			Code: "STREAM_TOO_SLOW",
			Text: "A client of a stream of changes took them more slowly than they came, for so long that what it still needed is not held any more. It was cut off, so that it holds up nobody.",
			Mend: "Read faster and connect anew, or raise limits.stream_bytes.",
		},
		{
			Code: "TOO_MANY_STREAMS", Passing: true,
			Text: "As many streams of changes as limits.streams allows are open.",
			Mend: "Close some, or raise limits.streams.",
		},
	}
}
