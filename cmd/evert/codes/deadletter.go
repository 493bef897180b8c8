package codes

// ofDeadLetters are the codes of rows that a system does not take.
func ofDeadLetters() []Entry {
	return []Entry{
		{
			Code: "DEAD_LETTER_UNWRITTEN",
			Text: "A row that a sink's system does not take should go to the sink's topic of dead letters, and could not be written there: the cluster does not let us, the topic belongs to another, or it takes no record of that size. The sink stops before the row, so nothing is lost, and tries again by itself.",
			Mend: "Let Evert write the topic that the message names; `evert check --acls` has the rights.",
		},
		{
			Code: "DEAD_LETTERS_FULL",
			Text: "A sink has as many dead letters as it may have (max_dead_letters), and one more row is not taken. A system that rejects that much is mostly set up wrongly, so the sink stops before the row, rather than to empty its topic into another one.",
			Mend: "`evert dlq list SINK` says why rows were not taken. When that is mended: `evert dlq replay SINK --yes`; or write a larger max_dead_letters below the sink.",
		},
		{
			Code: "SINK_REPLAY",
			Text: "Dead letters cannot be delivered once more now, because the sink is being filled: every row of its topic is delivered anyway.",
			Mend: "Wait until `evert status` says that the sink follows; what is left among the letters then can be replayed.",
		},
		{
			Code: "SKIPPED",
			Text: "The reason of a dead letter: `evert skip` told the sink to go on without the record. What was wrong with it stands behind it, with its own code.",
			Mend: "`evert dlq replay SINK --yes` delivers it after all, when what was wrong is mended.",
		},
	}
}
