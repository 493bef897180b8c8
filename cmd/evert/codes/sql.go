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
	}
}
