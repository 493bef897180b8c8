// Package intaketest is what the tests of those who read table topics, views and
// sinks, have in common.
//
//	Source ──► its capture ──► table topics, frontier ──► the reader that is tested
//	   └─► Tables: what its database held after each transaction, to compare with
//
// A Crash fails one effect and all behind it; Runs are the seeds to tell random
// stories by; a Story is what the events of a reader said.
package intaketest
