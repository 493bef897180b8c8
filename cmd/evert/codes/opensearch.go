package codes

// ofOpenSearch are the codes of delivering to OpenSearch and Elasticsearch.
func ofOpenSearch() []Entry {
	return []Entry{
		{
			Code: "OPENSEARCH_VERSION",
			Text: "The server is older than OpenSearch 1.0 or Elasticsearch 7.10, or is neither: it does not know requests that are taken by an alias alone (require_alias), without which a deleted index would come back by itself with guessed types.",
			Mend: "Use a newer server.",
		},
		{
			Code: "OPENSEARCH_DENIED",
			Text: "The cluster does not know who asks (401), or does not allow it (403). Evert makes, writes and deletes indexes called <index>-<number>, the position's index <index>-evert-position, and the alias <index>.",
			Mend: "Set the credentials below opensearch; give that user the rights create_index, manage, read, write and delete_index (manage_aliases among them) on <index> and <index>-*, and monitor on the cluster.",
		},
		{
			Code: "OPENSEARCH_BLOCKED",
			Text: "The index or the cluster is blocked for writing: by a person, or by the cluster itself when a disk is nearly full. Evert begins again by itself.",
			Mend: "Make room on the cluster's disks; then lift the block with the request that the message names.",
		},
		{
			Code:    "OPENSEARCH_BUSY",
			Text:    "The cluster could not be reached, or was too busy to take documents, for longer than opensearch.retry_for. What was not delivered waits in the log, and nothing else is held back. Evert begins again by itself.",
			Mend:    "Start the cluster or give it more room; opensearch.requests and opensearch.bulk_bytes say how hard Evert presses.",
			Passing: true,
		},
		{
			Code: "OPENSEARCH_REFUSED",
			Text: "The cluster gives an answer that says neither that it took a document, nor that it is busy, nor that the row is wrong; or the address leads elsewhere, which is not followed.",
			Mend: "Look into the cluster's log: it has the reason in full, which may hold row values and is not repeated here.",
		},
		{
			Code: "OPENSEARCH_ALIAS",
			Text: "The name in opensearch.index is needed for an alias, and belongs to an index, or is an alias of an index that this sink did not make. Evert overwrites neither.",
			Mend: "Choose another opensearch.index; or remove the alias, or delete the index.",
		},
		{
			Code: "OPENSEARCH_OWNED",
			Text: "Another sink, perhaps of another deployment, delivers to the same index. Two of them would overwrite each other's documents.",
			Mend: "Choose another opensearch.index; or remove the other sink, and delete its position index, <index>-evert-position.",
		},
		{
			Code: "OPENSEARCH_MISSING",
			Text: "The index that the sink filled was deleted, or another was put in its place, and opensearch.on_missing is stop.",
			Mend: "Set opensearch.on_missing: rebuild, which fills a new index from the log.",
		},
		{
			Code: "OPENSEARCH_COLUMN",
			Text: "A column cannot be a field of a document: its name holds a dot, which would make an object, or is blank, or belongs to the server, as _id does. Or opensearch.mapping names a column that there is not.",
			Mend: "Rename the column by a transform of the sink or with AS in the view's SQL; or correct opensearch.mapping.",
		},
		{
			Code: "OPENSEARCH_MAPPING",
			Text: "The cluster does not make an index with these opensearch.mapping and opensearch.settings: a type, an analyzer or a setting is not known to it.",
			Mend: "Correct them; the cluster's log says what it does not take.",
		},
		{
			Code: "OPENSEARCH_ROW",
			Text: "The cluster does not take a row as a document, and will not the next time either: a value does not fit its field's mapping, a term is too long, JSON is too deep or names a key twice, or the document is larger than the cluster takes. The message names the record and not its values.",
			Mend: "Correct the row, or the field in opensearch.mapping; or set on_reject: dead_letter for the sink, which keeps such rows and goes on.",
		},
	}
}
