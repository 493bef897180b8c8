// Package captures takes the databases of a file into the log: each source is a component of its
// own, owned by one daemon, and tried again when it does not get on.
//
//	configs.Source ─► Capture ─┬─ supervise.Component ─► a pipeline.Stage for each try:
//	                           │      the source, behind its gate ─► tables ─► transforms ─► capture.Sink
//	                           ├─ the prober: asks the server how far it is, whatever the stage does
//	                           └─ Monitor, Tables, Gate, Drain: what others ask of it
package captures
