package codes

// ofPostgresSink are the codes of delivering to Postgres; those that it shares with
// the source stand there.
func ofPostgresSink() []Entry {
	return []Entry{
		{
			Code: "PG_SINK_STANDBY", Passing: true,
			Text: "The server takes no writes: it is a standby, or its sessions are read-only by default. Nothing is written to it. After a failover the sink finds the new primary by itself if the url names all servers.",
			Mend: "Write all servers into the url, with ?target_session_attrs=read-write.",
		},
		{
			Code: "PG_SINK_RIGHT",
			Text: "The role of the sink lacks a right. It needs CREATE and USAGE on the table's schema, for what a fill is gathered in; TEMPORARY on the database, for large steps; SELECT, INSERT, UPDATE and DELETE on the table and on the table of positions, if they are there and belong to somebody else.",
			Mend: "Run the statements that `evert check --connect` prints, as the owner.",
		},
		{
			Code: "PG_SINK_OTHER_ROWS",
			Text: "The table holds rows that this sink has not written. A sink makes its table equal to the topic, so they would be replaced or deleted. A sink whose table of positions was lost does not know its own rows either.",
			Mend: "Name another table; or set adopt: true in the sink's section if all of it may be replaced.",
		},
		{
			Code: "PG_SINK_TAKEN",
			Text: "Another sink writes this table, as the table of positions says. Two would delete each other's rows.",
			Mend: "Give one of the two another table; if the other sink is gone for good, delete its row with the statement that the message shows. A sink that is there, and whose list has the table no more, gives it up when it starts, and this one goes on by itself.",
		},
		{
			Code: "PG_SINK_SHAPE",
			Text: "The table was not made by Evert, and its columns do not fit the topic's: one is missing, is computed by the server, or has to be filled by somebody else. Evert adds and alters columns only of tables that it made. Or something in the database depends on a column whose type has to change.",
			Mend: "Run the statement that the message shows.",
		},
		{
			Code: "PG_SINK_KEY",
			Text: "The table has no unique index over the key of the topic, so that no row could be found again; or a key column may be NULL, and the index takes each NULL for another. The latter needs a unique index NULLS NOT DISTINCT, which Postgres has from version 15 on.",
			Mend: "Run the statement that the message shows.",
		},
		{
			Code: "PG_SINK_LOOP",
			Text: "A source of this deployment captures the very table that the sink writes, by whatever URL either comes to the database. Every row would come back, be written again, and come back again.",
			Mend: "Leave the table out with exclude_tables of the source, or name another table.",
		},
		{
			Code: "PG_SINK_ROW",
			Text: "The server does not take a row: a constraint, a trigger or a column's type refuses it. The message names the table, column and constraint, and the key by a hash; the place tells which record of the topic it is. With on_reject: stop the sink stops before the step that holds the row, and nothing of that step is written; with dead_letter the row goes to the dead-letter topic, and an earlier version of it goes from the table, unless the table does not let it go. A foreign key between the tables of two sinks is broken from time to time, since each goes its own way: the sink with stop goes on by itself when the other row is there.",
			Mend: "Let the table take the row, or correct it at the source; or set on_reject: dead_letter.",
		},
		{
			Code: "PG_SINK_STRAY",
			Text: "A table that was filled anew has a row that the topic does not have, and the server does not let it be deleted: a foreign key or a trigger of the target database holds it. The message names the constraint, and the key by a hash. No record of the topic is about the row, so it is no dead letter: the sink stops before the switch, and readers see the old rows.",
			Mend: "Take away what refers to the row, in the sink's database. The sink tries again by itself.",
		},
		{
			Code: "PG_SINK_FENCED", Passing: true,
			Text: "Another process has taken the sink over, and this one writes no more. That is how it should be when a daemon was replaced; when it happens again and again, two deployments of one name deliver to the same database.",
			Mend: "Run one daemon for the deployment; if two deployments have the same name, rename one.",
		},
		{
			Code: "PG_SINK_BUSY", Passing: true,
			Text: "The server could not do it now: a lock was not free, a disk is full, memory or connections ran out, it is shutting down, or a statement took longer than statement_timeout. Nothing of the step was written, and it is tried again by itself.",
			Mend: "Nothing has to be done here; see what the server waits for, or has too little of.",
		},
	}
}
