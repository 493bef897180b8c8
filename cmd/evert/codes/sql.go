package codes

// ofSQL are the codes of a view's SQL.
func ofSQL() []Entry {
	return []Entry{
		{
			Code: "SQL_SYNTAX",
			Text: "The SQL of a view cannot be read; Postgres would not read it either. The message names line and column inside the text.",
			Mend: "Correct the text at that place. `psql` reads the same grammar: a query that runs there with table names in three parts is read here, or named as unsupported.",
		},
		{
			Code: "SQL_UNSUPPORTED",
			Text: "The SQL of a view uses something that Postgres has and views do not: an order of the result, window functions, subqueries in expressions, full joins, the current time. It is refused instead of approximated.",
			Mend: "Write what the message says instead. Usually that is a query in FROM or WITH that is joined.",
		},
		{
			Code: "SQL_NAME",
			Text: "A name in the SQL of a view stands for nothing, or for several things: a table that its source does not have, a view that is not defined, a column that no table of FROM has or that two have.",
			Mend: "Write a name that the message lists. A table is source.schema.table, a view its name alone, a column of two tables alias.column.",
		},
		{
			Code: "SQL_TYPE",
			Text: "The types in an expression do not fit, as Postgres would say too: there is no such operator or function, a literal cannot be read as the type that its place asks for, or two branches have no type in common.",
			Mend: "Write a cast, or another expression; the message names the types.",
		},
		{
			Code: "SQL_GROUP",
			Text: "A column of the SELECT list or of HAVING is neither grouped by nor inside an aggregate, or an aggregate stands where there are no groups.",
			Mend: "Add the column to GROUP BY, put an aggregate around it, or put the aggregate into a query in FROM.",
		},
		{
			Code: "SQL_INEXACT",
			Text: "The rows alone do not settle what an expression gives: it depends on a collation of the server's libraries, on the clock, on chance, on settings or the time zone of a session. A view would then differ from what the database answers, so that it is refused.",
			Mend: "Write what the message says: COLLATE \"C\" behind a text, AT TIME ZONE 'UTC' behind a timestamp, a column of the source instead of a function.",
		},
		{
			Code: "SQL_JOIN",
			Text: "A join has no equality between its two sides, in its ON or in WHERE. It would keep every pair of rows.",
			Mend: "Write JOIN … ON a.x = b.y; further conditions stand behind AND.",
		},
		{
			Code: "SQL_KEY",
			Text: "The columns that are to identify a row of a view are not among those that the query gives, cannot identify one, or are not named and not found.",
			Mend: "Name columns of the result in the view's `key`. Those of GROUP BY identify a row, and those of the keys of the tables that are joined.",
		},
	}
}
