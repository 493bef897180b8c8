// Package files delivers to a folder: changes as lines of JSON, or as Avro object
// container files. What a line says is in pipeline/deliver/event; the Avro record
// is in schema/avro.Container.
//
//	path/                                 0700
//	  manifest.json                       what is committed, and how far
//	  lock                                who writes; held while something is written
//	  00000001/                           a series: one filling, and what came behind it
//	    0000000001-p0-o17.jsonl           a finished file
//	    0000000002-p3-o2001.jsonl.open    the file that is written now
//
// A file's name holds its number in the series and the place (partition and offset
// in the topic) of its first change. Where a sink delivers several tables each has
// files of its own, with the number of its topic in their names (-t1-p0-o17), and the
// manifest lists the topics; a commit is of all of them. Numbers are the order in
// which files were begun, of a table that of delivery: the files of a series by name,
// line after line, are its changes in the order of the log per key of a table. Files
// are 0600.
//
// # What a reader may read
//
// Every file without .open below the series that the manifest calls seen: such a
// file is whole, and never changes. Of the files that the manifest calls open and
// beside, as many bytes as it says. Finished files may be taken away; Evert does not look for
// them again.
//
// # When a file is finished
//
// At rotate_bytes, at rotate_after, and where the table's columns change. A file
// of Avro has one schema.
//
// # Exactly once
//
// The place stands in the manifest, and a commit is its replacement, in this order:
//
//	1  the changes are written and the files synced; new files and their folder too
//	2  the manifest is written beside, synced, renamed over the old, and the folder synced
//	3  files that were finished lose their .open
//
// A crash before 2 leaves bytes and files that the manifest does not know: Open
// cuts and removes them. A crash behind 2 leaves .open where there should be none:
// Open renames. A process that was replaced writes nothing: whoever opens the folder
// signs the lock, and every write looks for its own signature first. That holds
// between processes of one machine; on a network share, as far as its locks do.
//
// # Beginning anew
//
// A new fill is a new series. Readers see the old one until the new one is whole:
// then the manifest calls it seen, in one step. Old series stay until retention, if
// there is one, has removed their files; files of the series that is seen are
// removed by it as well.
//
// # Bounds
//
// A full disk stops the sink where it is (FILES_DISK_FULL); it goes on by itself
// when there is room. In memory lies one block of each table's open file, and each
// such file takes a handle. No name of a table, column or topic is part of a path, and
// nothing outside the folder is reached through it, not by a link either (X10).
package files
