// Package steps says the masks and transforms of a file in the words of package transform:
// the chain that a source's changes pass, and the steps of a sink.
//
//	overrides' masks ─► transforms of the source ─► the topics ─► transforms of a sink ─► its system
package steps
