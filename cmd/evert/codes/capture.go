package codes

// ofCapture are the codes of writing rows into topics.
func ofCapture() []Entry {
	return []Entry{
		{
			Code: "TOPIC_REPLACED",
			Text: "A table topic is not the one that the source's frontier speaks of: it was deleted, or made anew. The rows that it held will not be sent by the source again.",
			Mend: "Copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TOPIC_COLLISION",
			Text: "Two tables would go to the same topic, because characters that a topic's name cannot hold become _.",
			Mend: "Rename one of the tables, leave one out with exclude_tables, or make two sources with different topic_prefix.",
		},
		{
			Code: "KEY_CHANGED",
			Text: "The key columns of a table are not those that its topic is keyed by. The key schema of a topic never changes: records of one row would no longer share a key. The table stops alone.",
			Mend: "Begin the topics anew: `evert reset SOURCE --yes`; or restore the key, then copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "SCHEMA_UNREGISTERED",
			Text: "registry.auto_register is false and the registry does not have a schema of this table, or a changed one. Evert looks a schema up by its content under its subject and registers none itself. It asks again by itself.",
			Mend: "Write the schemas with `evert schemas export --dir schemas` and register the file that the message names under its subject; or set registry.auto_register: true.",
		},
		{
			Code: "SCHEMA_INCOMPATIBLE",
			Text: "A table changed in a way that the registry does not let its topic follow: readers of the new schema could not read the records of the old one. The table stops alone, before the first row of the new shape.",
			Mend: "Begin the topics and their schemas anew: `evert reset SOURCE --yes`; or lower the compatibility level of the subject, then copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "RECORD_TOO_LARGE",
			Text: "A row is larger than limits.record_bytes (16 MiB) or its topic's max.message.bytes allow, or one of its values larger than limits.value_bytes. With on_oversize: stop_table the table stops before it and its later changes are not written; the source's other tables go on. The other policies are truncate, offload and dead_letter.",
			Mend: "Make the row smaller in the database, raise the limits, or choose another on_oversize for the table; then copy the table again: `evert snapshot SOURCE.SCHEMA.TABLE`.",
		},
		{
			Code: "TABLE_NOT_COPIED",
			Text: "The source does not copy single tables while it streams, so a table that has stopped goes on only when all of its tables are copied again.",
			Mend: "Copy them all: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TABLE_NOT_SKIPPED",
			Text: "A row of a table is not skipped: a topic is what its table is, and every view and sink would be without the row, and nobody would know.",
			Mend: "For rows that are too large set `on_oversize: dead_letter`, which leaves a tombstone and keeps the row beside. Whatever else stopped the table, copy it again: `evert snapshot SOURCE.SCHEMA.TABLE`.",
		},
		{
			Code: "SOURCE_RESET",
			Text: "A source was reset with --resnapshot, and the records of an append-only topic stayed: what happened from then until the new copy is not among them. The header evert-gap of the first record behind says so, and since when; a time in the year 1 if that is not known, because a newer release noted the reset.",
			Mend: "Nothing has to be done: the copy gives the rows as they are. Who needs every change between takes it from elsewhere.",
		},
		{
			Code: "TABLE_PAUSED",
			Text: "Somebody had the table rest: its changes are not written meanwhile, and its views and sinks hold their last cut.",
			Mend: "Let it go on, which copies it again: `evert resume SOURCE.SCHEMA.TABLE`.",
		},
		{
			Code: "TABLE_STOPPED",
			Text: "The table stopped before this daemon started, in a release that did not keep why, and its changes since then were not written. The daemon that stopped it logged the reason.",
			Mend: "Mend the cause, then copy the table again: `evert snapshot SOURCE.SCHEMA.TABLE`; or all of the source: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TABLE_TRUNCATED",
			Text: "The table was truncated, and on_truncate is stop_table for it, or its topic is append-only and envelope: row has no record for that: the topic keeps what it had, and takes nothing new.",
			Mend: "When the rows are not wanted any more, copy the table again: `evert snapshot SOURCE.SCHEMA.TABLE`. With `on_truncate: apply` a TRUNCATE empties the topic.",
		},
		{
			Code: "UNKNOWN_VALUE",
			Text: "The source did not send a value (an unchanged large column), and neither the old row, nor the log, nor the database has it any more. A record in a compacted topic is a whole row, so it is not written with a gap (I5): the table stops.",
			Mend: "Set REPLICA IDENTITY FULL for the table, then copy it again: `evert snapshot SOURCE.SCHEMA.TABLE`.",
		},
	}
}
