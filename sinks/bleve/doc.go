// Package bleve keeps a table or view as a full-text index inside the process: a
// sink whose outside system is a folder.
//
//	data_dir/indexes/<sink>/
//	   live       names the build that readers see; written beside and renamed
//	   filling    names the build that is being filled
//	   b1, b2 …   builds: each an index of its own
//	   torn       the last build that could not be trusted
//
// # What is stored
//
// A document for each row, its id the key as the paths of reads write it. The
// stored document is the JSON of pipeline/document, byte for byte, so that bigint
// and numeric are exact; beside it each column is indexed by its type:
//
//	text, enum        words by the analyzer of the language, and <column>.keyword: the text as it is
//	integer, numeric, float    a number, compared as a double: beyond 2^53 neighbours are the same
//	date, timestamp   an instant of the years 1678 to 2261; others are stored and not found
//	boolean, uuid, time, interval    the text as it is
//	json, jsonb       a field for each path, to max_depth and max_fields; what is beyond is
//	                  indexed as words of the column itself (S05)
//	arrays            every element, by the type of the elements
//	bytea             stored, not indexed
//
// A keyword holds at most 256 bytes; a longer text is found by its words alone.
//
// # What is atomic
//
// What a commit wrote and its place go into the index in one batch (I1), which is
// durable when Commit returns. A commit that needs more memory than a batch may
// goes in several, with the place of the one before until the last; readers see it
// when it is whole, but for a process that ended between: until the sink goes on,
// they see what was durable of it. A read is of one snapshot of the index, and
// answers with the place that lies in it.
//
// # The index is a cache of the log
//
// A build is believed only after it was checked: every byte of its segments
// against their checksums, its own record against its, and the ids of its living
// documents against their count and sum in that record (S09). One that fails is
// put aside, and the target asks to be filled anew; so does one of another
// definition. While one is filled beside, readers see the old one, which says so
// (R16).
package bleve
