// Package outlets opens the outside systems that a file's sinks deliver to. One file is one
// kind: what of its settings decides what the system holds, and how a target, a check and
// an auditor are made of them.
//
// A new kind is a folder below sinks, a file here, and a line in Connectors.
package outlets
