// Package mends runs what refusals print. Every refusal that a person meets says
// the one thing that mends it; where that is SQL or a command, a story here
//
//	makes it happen     with the real binary on real servers
//	reads the mend      from what was printed, by what stands behind `mend:`
//	runs it             SQL as the DBA, one line at a time; commands in a shell
//	                    with evert on the PATH, where the file lies
//	runs evert again    until it has caught up
//	compares            every table with its topic, folded by key
//
// A mend of several lines is obeyed line by line. A line that begins with `or`
// is another way to the same end; a story says which way it goes.
//
// testdata/codes.txt lists every code of the catalogue with the story that runs
// its mend, or says that it has nothing to run: a new code without either fails.
package mends
