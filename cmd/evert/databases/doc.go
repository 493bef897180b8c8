// Package databases opens the databases that a file names: how each is configured, checked,
// asked how far it is, and read as an exact prefix of its commits. One file is one kind.
//
//	configs.Source ─► Place ─► Open ─► Database ─┬─ Source: what a stage reads
//	                                             ├─ Check, Probe, End, Drop: what the server says and keeps
//	                                             └─ Pinner, Tabled: what some kinds can do beside
//
// A new kind is a folder below sources, a file here, and a line in connectors.
package databases
