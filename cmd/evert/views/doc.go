// Package views keeps the views of a file current: each is compiled for the tables as they
// are, owned by one daemon, and tried again when it does not get on.
//
//	configs.View ─► Compile ─► Plan ─► view.Task, by a component of its own ─► the log, its state
//	                                        └─► Snapshot, State, Moved: what readers of it ask
//
// What the checks and the verbs ask of views stands here too: their faults, the catalog that
// they are compiled over, how one is carried out.
package views
