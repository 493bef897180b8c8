// Package inspect looks at all that a file names, and changes nothing: the servers, this machine,
// the log, the registry, the systems of sinks, and the views over tables as they are.
//
//	configs.Config ─► Look ─► Findings: errors, warnings, and what is fine
package inspect
