// Package intake is what everything that reads table topics by their frontier
// has in common: views and sinks.
//
//	frontier topic ──► Follower: the newest cut of the topics that are read ──► Succeeds: may it follow the last one?
//	table topics   ──► Rows:     the records below a cut                   ──► Places:   was the row there before?
//	                                                                        └► Decoder:  what the record says
//
// Nothing here knows what the rows are for. What stops a reader is an error of a
// type of its own, of which its owner makes a refusal with words and a mend for
// people.
package intake
