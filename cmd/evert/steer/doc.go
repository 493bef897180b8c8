// Package steer has the verbs by which people tell a deployment what to do: sinks and tables
// that rest, tables that are copied again, sources that are drained or begin anew, letters that are
// delivered after all. What they command lies in the log, or goes to the daemon.
package steer
