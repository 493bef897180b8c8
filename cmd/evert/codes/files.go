package codes

// ofFiles are the codes of sinks that write files, or to the standard output.
func ofFiles() []Entry {
	return []Entry{
		{
			Code:    "FILES_DISK_FULL",
			Text:    "The disk on which a sink writes its files is full. The sink stands where its manifest says, and goes on by itself when there is room. Nothing is lost: the log holds it.",
			Mend:    "Make room, or write a retention below the sink's files.",
			Passing: true,
		},
		{
			Code: "FILES_ACCESS",
			Text: "The folder of a sink's files cannot be made, read or written; or something in it is a link that leads out of it.",
			Mend: "Let the user that runs evert read and write the folder, or write another path.",
		},
		{
			Code: "FILES_TAKEN",
			Text: "The folder of a sink's files is another sink's, perhaps of another deployment: its manifest says so. Two sinks in one folder would take each other's files for their own.",
			Mend: "Write a path of its own for this sink.",
		},
		{
			Code: "FILES_MANIFEST",
			Text: "The file manifest.json of a sink's folder, which says what is committed, is damaged, or names what no sink has written.",
			Mend: "Move the folder away. The sink fills a new one from the log, by itself.",
		},
		{
			Code: "FILES_ROW",
			Text: "A row has no form in an Avro file: a timestamp beyond its range, an array of several dimensions. With on_reject: stop, which is the default, the sink stops before it.",
			Mend: "Write format: jsonl, which holds every row; or on_reject: dead_letter below the sink, which keeps such records in a topic and goes on.",
		},
		{
			Code: "SINK_PIPE",
			Text: "Nobody reads the standard output any more, to which a sink writes. Lines that were not read are not known to anybody, and come again at the next start.",
			Mend: "Start the daemon with a reader behind it that stays: `evert run | READER`.",
		},
	}
}
