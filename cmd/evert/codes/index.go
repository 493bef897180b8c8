package codes

// ofIndex are the codes of embedded full-text indexes, and of searching them.
func ofIndex() []Entry {
	return []Entry{
		{
			Code:    "INDEX_LOCKED",
			Text:    "Another process has the index of this sink open, and holds it longer than it was waited for. Two processes in one folder would overwrite each other's index.",
			Mend:    "Stop the other process, or give this deployment a data_dir of its own.",
			Passing: true,
		},
		{
			Code: "INDEX_PLACE",
			Text: "Where the folder of this sink's index belongs, below data_dir/indexes, is something else: a file, or a link that could lead anywhere; or the sink has a name that is no folder's.",
			Mend: "Remove what lies there. The index is made anew from the log.",
		},
		{
			Code: "INDEX_DOCUMENT_SIZE",
			Text: "The document of a row is larger than bleve.max_document_bytes of its sink. Taking a text apart needs many times its size in memory, so the bound keeps the process within limits.memory. With on_reject: stop, which is the default, the sink stops before the row.",
			Mend: "Raise bleve.max_document_bytes and with it limits.memory; or write on_reject: dead_letter below the sink, which keeps such records in a topic and goes on.",
		},
		{
			Code:    "INDEX_NOT_READY",
			Text:    "Nothing can be searched yet: the index is filled for the first time, or could not be opened; the message says which. It is filled from the log, and answers when it is whole.",
			Mend:    "Ask again; `evert status` shows how far the sink has come.",
			Passing: true,
		},
		{
			Code:    "INDEX_REBUILDING",
			Text:    "The index is filled anew beside the one that answers: its definition changed, its topic was made anew, or its files could not be believed. Answers come from the old one, with its own position, until the new one is whole.",
			Mend:    "Wait: it switches by itself. `evert status` shows how far the sink has come.",
			Passing: true,
		},
		{
			Code:    "INDEX_TAKEN_OVER",
			Text:    "A writer of an index was replaced by a newer one of the same process, and keeps nothing any more.",
			Mend:    "Nothing has to be done: the newer one goes on.",
			Passing: true,
		},
		{
			Code: "NO_SUCH_INDEX",
			Text: "The configuration has no sink of this name that is an index (bleve).",
			Mend: "GET /v1/indexes lists the indexes.",
		},
		{
			Code: "SEARCH_INVALID",
			Text: "A search cannot be understood: the query string, a filter, an order or a facet is written wrongly, names a column that the index does not have, or asks for more hits than bleve.max_hits.",
			Mend: "Write it as the message says; the form of searches is in cmd/evert/api/READS.md.",
		},
		{
			Code: "SEARCH_TOO_WIDE",
			Text: "The prefixes, wildcards, patterns and typos of a query stand for more terms of the index than bleve.max_terms of its sink. Each of them would have to be looked up.",
			Mend: "Write a longer prefix or a narrower pattern, or raise bleve.max_terms.",
		},
		{
			Code: "SEARCH_TIMEOUT",
			Text: "A search took longer than bleve.search_timeout of its sink.",
			Mend: "Ask for something narrower, or raise bleve.search_timeout.",
		},
	}
}
