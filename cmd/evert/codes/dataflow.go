package codes

// ofDataflow are the codes of views that stop while they are worked out.
func ofDataflow() []Entry {
	return []Entry{
		{
			Code: "VIEW_KEY_NOT_UNIQUE",
			Text: "Two rows of a view's result have the same key, so that one would hide the other. The view keeps what it had and stops.",
			Mend: "Add columns to the view's key until it identifies a row, or aggregate the rows that share it: GROUP BY the key.",
		},
		{
			Code: "VIEW_GROUP_TOO_LARGE",
			Text: "An aggregate such as jsonb_agg builds a value for one group that is larger than what may be held in memory. Sums and counts have no such bound.",
			Mend: "Group by more columns, leave rows out with FILTER, or raise limits.memory.",
		},
		{
			Code: "VIEW_EXPRESSION",
			Text: "An expression of the view has no value for a row, or an aggregate none for a group, as in a division by zero or a number out of range. Postgres would refuse the query; the view keeps what it had and stops.",
			Mend: "Guard the expression with CASE or NULLIF, or correct the row in the source.",
		},
		{
			Code: "VIEW_STATE",
			Text: "The local state of a view holds something that the view did not write: the directory was changed from outside, or the disk did not keep it. The state is a cache; the log has everything.",
			Mend: "Stop Evert, delete the directory that the message names, and start again: the state is filled from the log.",
		},
	}
}
