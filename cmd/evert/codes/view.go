package codes

// ofView are the codes of maintaining views.
func ofView() []Entry {
	return []Entry{
		{
			Code: "VIEW_POISON",
			Text: "A record of a table topic cannot be read: it has no schema id, the registry does not know the id, or its bytes are not of that schema. Somebody else wrote it, or it is damaged. Without it the view would be wrong, so it stops before the epoch that holds it; what it shows, it shows on. The other views go on.",
			Mend: "Look at the record where the message says: `evert tail TOPIC`. If it is not Evert's, take its writer the right to write there; then copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "VIEW_COLUMN",
			Text: "A column that the view's query needs is gone from its table, was renamed, or has another type; or it was added with NOT NULL, and the records from before do not say what it holds.",
			Mend: "Write the query for the table as it is now and check it: `evert check`. Restart the daemon: the view is built for the new columns beside the old one. Where old records lack the column, copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "VIEW_INPUT_GONE",
			Text: "A topic that the view reads does not exist any more: somebody deleted it, or the table was renamed. An absent table is not an empty one, so the view keeps what it has.",
			Mend: "`evert status` says whether the source captures the table. A table or source that was renamed needs its new name in the view's sql.",
		},
		{
			Code: "VIEW_INPUT_PARTITIONS",
			Text: "A table topic that the view reads has another number of partitions than its source writes: somebody changed it. Keys that move to another partition lose the order of their changes, so the view stops before it reads more, and shows what it had. Tables that a view joins may have different numbers of partitions.",
			Mend: "Delete the topic, or set topic.partitions of the table in the file to what the topic has; then copy the source's tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "VIEW_INPUT_BACK",
			Text: "The frontier of a source lies before what the view has read: committed records of the log are gone, as after a restore of an old copy. The view would go back in time, so it stops.",
			Mend: "Copy the source's tables again: `evert reset SOURCE --resnapshot --yes`. The view is built anew by itself.",
		},
		{
			Code: "VIEW_TOPIC_REPLACED",
			Text: "The view's topic is not the one that the view's frontier speaks of: it was deleted, made anew, or cut short. Its readers have seen rows that it no longer holds.",
			Mend: "Give the view another name in the file. Or, if nobody reads the old topic, delete it and the view's frontier topic, which the message names: the view is written anew.",
		},
		{
			Code: "VIEW_HELD", Passing: true,
			Text: "A table of the view is being copied, has stopped, or is not captured yet; or its source was reset, and has not begun anew. The view keeps its last cut, shows it, and goes on by itself when the table is there.",
			Mend: "`evert status` says how far the copy is, or why the table has stopped.",
		},
		{
			Code: "VIEW_WAITS", Passing: true,
			Text: "A table that the view reads is not captured yet, so that its columns are not known. The view begins by itself when its source has written the table's schemas.",
			Mend: "`evert status` says how far the source is. If the table is not among those that it captures, list it under the source's tables, or correct its name in the view's sql.",
		},
		{
			Code: "VIEW_KEY_UNPROVEN",
			Text: "Nothing in the view's query proves that its key identifies a row: neither the keys of its tables nor a GROUP BY. If two rows of the result ever share a key, the view stops.",
			Mend: "Name columns that identify a row under the view's key, or group by them in its sql.",
		},
		{
			Code: "VIEW_KEY_CHANGED",
			Text: "The view's key has other columns or types than its topic is keyed by. The key of a topic never changes: records of one row would no longer share a key.",
			Mend: "Give the view another name in the file. The old topic stays as it is for who reads it.",
		},
		{
			Code: "VIEW_ROW_TOO_LARGE",
			Text: "A row of the view is larger than its topic takes. A row is never cut, so the view stops before the epoch that holds it.",
			Mend: "Make the rows smaller in the view's sql: aggregate less into one row. Or raise max.message.bytes of the view's topic.",
		},
		{
			Code: "VIEW_STATE_LIMIT",
			Text: "The state of the view occupies more disk than limits.view_state_bytes allows. Joins and groups keep what may match later, so a state grows with its tables. The view stops, alone, and shows its last epoch.",
			Mend: "Raise limits.view_state_bytes, if the disk has the room, and restart. Or let the view's sql keep less: fewer rows and columns, aggregates instead of rows; `evert explain VIEW` shows what its state keeps.",
		},
		{
			Code: "VIEW_SCHEMA_REFUSED",
			Text: "The registry does not take the schema of the view's rows: a column changed its type in a way that readers of the topic could not follow, or nothing may be registered.",
			Mend: "Give the view another name in the file; or register the schema, or lower the compatibility level of the subject, in the registry.",
		},
	}
}
