package codes

// ofSink are the codes of delivering to outside systems, whatever they are.
func ofSink() []Entry {
	return []Entry{
		{
			Code: "SINK_POISON",
			Text: "A record of the topic that a sink delivers cannot be read: it has no schema id, the registry does not know the id, or its bytes are not of that schema. Somebody else wrote it, or it is damaged. Without it the outside system may hold something wrong, so the sink stops before it; what was delivered stays. With on_reject: dead_letter below the sink it goes on, and keeps the record as a dead letter. The other sinks go on.",
			Mend: "Look at the record where the message says: `evert tail TOPIC`. If it is not Evert's, take its writer the right to write there, and go on without it: `evert skip SINK`. If it is, its row may be missing in the outside system until its next change; `evert reset SOURCE --resnapshot --yes` copies the tables again.",
		},
		{
			Code: "SINK_COLUMN",
			Text: "Rows are delivered in the newest shape of their table. A record from before does not say what a column holds that was added with NOT NULL, or holds a value of a type that is no longer the column's.",
			Mend: "Copy the source's tables again, so that every record has their present shape: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "SINK_INPUT_GONE",
			Text: "The topic that a sink delivers does not exist any more: the view was taken out of the file, or somebody deleted the topic. An absent table is not an empty one, so the outside system keeps what it has.",
			Mend: "`evert status` says whether the topic is still written. What was renamed needs its new name in the sink's `from`.",
		},
		{
			Code: "SINK_INPUT_PARTITIONS",
			Text: "The topic that a sink delivers has another number of partitions than its source writes: somebody changed it. Keys that move to another partition lose the order of their changes, so the sink stops before it reads more.",
			Mend: "Delete the topic, or set its number of partitions in the file to what the topic has; then copy the source's tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "SINK_INPUT_BACK",
			Text: "The frontier of a source lies before what a sink has delivered: committed records of the log are gone, as after a restore of an old copy. The outside system would go back in time, so the sink stops. The sink of a view only waits (SINK_HELD), until the view's sources are as far again or began anew, and is then filled anew by itself.",
			Mend: "Copy the source's tables again: `evert reset SOURCE --resnapshot --yes`. The sink is filled anew by itself.",
		},
		{
			Code: "SINK_HELD", Passing: true,
			Text: "A sink waits, with what it has, because its table is being copied, has stopped, or was never committed yet; or because its source was reset and has not begun anew; or, for a view, because an older log was restored. It goes on by itself when the table is there.",
			Mend: "`evert status` says how far the source is, and why a table has stopped.",
		},
		{
			Code: "SINK_OLD_ROWS",
			Text: "The transforms of a sink need to know what rows were (`rekey`, `unnest`, `drop_unchanged`), so it keeps the newest record of each row below data_dir/sinks/NAME/rows. They occupy more disk than limits.sink_rows_bytes allows. The sink stops, alone, and its system keeps what it has.",
			Mend: "Raise limits.sink_rows_bytes, if the disk has the room, and restart. Or deliver a view with that key, or fewer columns; a view has a state of its own.",
		},
		{
			Code: "SINK_REPLACED_VALUES", Passing: true,
			Text: "Large values of a table lie in a topic of their own. Those of many rows were replaced while a sink read their older records, which say nothing without them; the sink waits for the newer ones, and keeps no more than 100,000 such rows in mind.",
			Mend: "The sink begins once more by itself, at its last place. If it does not get on, its table is written faster than it can be read: `evert status` shows the lag.",
		},
		{
			Code: "SINK_RENEWALS",
			Text: "What an outside system holds had to be given up and filled anew, and before that was done it had to be given up again. Something is wrong there that filling does not mend: somebody deletes the index or table, it is damaged each time, or what the system takes contradicts itself. It is tried again after `retry_max`, and not sooner: it would keep the system busy.",
			Mend: "The message says why it had to be filled anew. See what happens to the index or table meanwhile; `evert check --connect` asks its system. The next try fills the sink once more; a restart of the daemon does so at once.",
		},
	}
}
