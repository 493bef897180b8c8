package codes

// ofState are the codes of the local state of views.
func ofState() []Entry {
	return []Entry{
		{
			Code: "STATE_DIR_TAKEN",
			Text: "Another process has the state of this view open. Two processes in one data directory would overwrite each other's state.",
			Mend: "Stop the other process, or give this deployment a data_dir of its own.",
		},
		{
			Code: "STATE_DIR_FOREIGN",
			Text: "The folder where a view's state belongs holds something that Evert did not write. It is left alone.",
			Mend: "Set data_dir to another directory.",
		},
		{
			Code: "STATE_OTHER",
			Text: "The local state of a view is of something else: another deployment, view, definition, log, or a topic that was made anew, or of another format. State is a cache of the log, so it is thrown away and made anew; one that is read without a daemon is refused instead.",
			Mend: "Start the daemon: it makes the state anew.",
		},
		{
			Code: "STATE_DAMAGED",
			Text: "Bytes of a view's state on disk are not those that were written. That happened before: the first time the folder was put aside, its name ending in .damaged, and the state was made anew from the log. As it happens again, the disk or the memory of the machine fails, and the view stops.",
			Mend: "Look into the machine's disk and memory, then delete the two folders that the message names: the state is made anew from the log.",
		},
		{
			Code: "STATE_FULL", Passing: true,
			Text: "The disk of a view's state has no room, or less than the 64 MiB that are kept free. The view shows what it showed, and takes no changes until there is room.",
			Mend: "Free some room on that disk: the view goes on by itself. df -h DATA_DIR",
		},
		{
			Code: "STATE_UNWRITABLE", Passing: true,
			Text: "What a view keeps in data_dir cannot be written: the disk is broken, it was mounted read-only, or the folder was removed under the daemon. It is tried again, every half minute at last. The view shows what it showed, and takes no changes meanwhile.",
			Mend: "Mend the disk: the view goes on by itself. Where the folder is gone, start Evert again: the state is made anew from the log.",
		},
	}
}
