// Package faults breaks what the daemon depends on, one thing at a time: the log
// blocks, brokers go away, a transaction is left open on a topic, the disk is full,
// Postgres crashes or is gone without a sign, the network is deaf one way, slow or picky, a second
// daemon starts. Every story ends the same way: the daemon goes on by itself,
// within bounded memory and without a storm of reconnects, and nothing is lost
// or there twice.
//
// EVERT_FULL=1 makes the faults as long as promised: a minute.
package faults
