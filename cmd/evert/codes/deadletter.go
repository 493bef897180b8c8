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
			Code: "SINK_AT_RECORD",
			Text: "A sink has come to the same record three times and could not get past it: the record cannot be read, or the system does not take its row. What comes before it would be delivered again with each further try, so the sink waits there. Nothing else is held back.",
			Mend: "`evert skip SINK` goes on without the record, which is kept: `evert dlq list SINK`. Or mend what is wrong, as the message behind says, and let the sink try again: `evert resume SINK`. With on_reject: dead_letter below the sink such records are kept without a stop.",
		},
		{
			Code: "SINK_ELSEWHERE",
			Text: "The daemon that was asked does not deliver the sink now: another one owns it, or the sink's system is away and is tried again later. Letters are delivered once more by who delivers the sink.",
			Mend: "`evert status` says how the sink is. Run the command on the machine of the daemon that owns it.",
		},
		{
			Code: "SINK_REPLAY",
			Text: "Dead letters cannot be delivered once more now, because the sink is being filled: every row of its topic is delivered anyway.",
			Mend: "Wait until `evert status` says that the sink follows; what is left among the letters then can be replayed.",
		},
		{
			Code: "NO_SUCH_SINK",
			Text: "The file has no sink of that name, and there is no topic of it.",
			Mend: "`evert status` lists the sinks.",
		},
		{
			Code: "NO_DEAD_LETTER",
			Text: "No dead letter has that place: it was delivered meanwhile, is older than dead_letter_retention, or never was one.",
			Mend: "`evert dlq list SINK` lists those that there are.",
		},
		{
			Code: "SKIPPED",
			Text: "The reason of a dead letter: `evert skip` told the sink to go on without the record. What was wrong with it stands behind it, with its own code.",
			Mend: "`evert dlq replay SINK --yes` delivers it after all, when what was wrong is mended.",
		},
	}
}
