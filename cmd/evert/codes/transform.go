package codes

// ofTransforms are the codes of masks and transforms.
func ofTransforms() []Entry {
	return []Entry{
		{
			Code: "TRANSFORM_COLUMN",
			Text: "A step of transforms, or a mask, names a column that its table does not have at this point, gives two columns one name, or leaves out a column of the key. Steps see what the steps before them made. At the start such a table is not written, and the others go on; `evert check --connect` says it before.",
			Mend: "Correct the step; name the tables that it is for with tables:. To key a table by other columns, write a step rekey before. Then `evert reset SOURCE --resnapshot --yes`, if the table has stopped.",
		},
		{
			Code: "TRANSFORM_UNKNOWN",
			Text: "A step needs the value of a column that the server did not send, because it is large and did not change (TOAST). What only passes such a value on, or hides it, leaves it to be filled from the log; a condition, or an expression of it and of other columns, has to know it. It is not guessed: the table stops, and the others go on.",
			Mend: "Let the server send whole rows: ALTER TABLE … REPLICA IDENTITY FULL. Or leave the column out of the expression, or move the step below a sink, where rows are whole. Then copy the table again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TRANSFORM_OLD_ROW",
			Text: "A step needs the old row of an update or a delete, to know what was written for it before: another key, another topic, the elements of a list. The server sends no more of it than the key. The table stops, and the others go on.",
			Mend: "Let the server send whole old rows: ALTER TABLE … REPLICA IDENTITY FULL. Or make a view with the key that is wanted: a view has its own old rows. Then copy the table again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TRANSFORM_VALUE",
			Text: "An expression of a step has no value for a row: a division by zero, a number out of range, a text that is no date. The row is not passed on without it: the table stops, and the others go on.",
			Mend: "Guard the expression, as with CASE or NULLIF, or correct the row in the source; then copy the table again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TRANSFORM_TRUNCATE",
			Text: "A table was truncated, and which rows of which topics are gone cannot be told: its rows go to the same topic as those of other tables, or to topics that a pattern with * names.",
			Mend: "Route the table to topics of its own, each named whole; then copy the tables again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TRANSFORM_LIMIT",
			Text: "A row is above a bound of a step: a list of more than max_elements, a topic beyond max_topics, a script beyond its steps or bytes, a value above limits.value_bytes that a step has to look at. The table stops, and the others go on.",
			Mend: "Raise the bound that the message names, or correct the row in the source; a column with large values may be masked or dropped before the step. Then copy the table again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TRANSFORM_ROUTE",
			Text: "A step route or outbox sends a row to a topic that its topics do not name, to none, because the expression is NULL, or, where topics has *, to one whose name is not made of letters, digits, _ and - alone. The value is not printed.",
			Mend: "Add the name to topics, or filter such rows out before; then copy the table again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TRANSFORM_OUTBOX",
			Text: "A row of an outbox was updated. It is an event, and was published as it was; what is published does not change.",
			Mend: "Write on_update: skip below outbox to leave such updates out; or insert events, and never update them. Then copy the table again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "TRANSFORM_COPY",
			Text: "The table cannot be copied again by itself: its rows go to a topic where rows of other tables go too, and those would be taken for rows that are gone.",
			Mend: "Route the tables to topics of their own, or copy all tables of the source again.",
		},
		{
			Code: "TRANSFORM_MERGED",
			Text: "Steps give two tables the name of one, and their columns or keys differ. One topic has one schema.",
			Mend: "Project the same columns of both, in one order, with one key; or route one of them elsewhere.",
		},
		{
			Code: "TRANSFORM_SCRIPT",
			Text: "A script is no Starlark with a function transform(row), or it fails for a row, at the line that the message names. What the interpreter says of it may hold a value of the row, and is not printed. The table stops, and the others go on.",
			Mend: "Mend the script, or filter such rows out before; then copy the table again: `evert reset SOURCE --resnapshot --yes`.",
		},
		{
			Code: "MASK_UNUSED",
			Text: "An override masks or drops a column that no table has which it matches. If the name is misspelt, the column that was meant is published as it is.",
			Mend: "Correct the name of the column, or remove it from the override.",
		},
	}
}
