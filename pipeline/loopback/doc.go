// Package loopback gives ports to servers that run for a test or a demo: numbers that
// are chosen before whoever listens there is started.
//
//	chosen                 server runs     restarts          closed
//	──●──── nobody ────────●───────────────●── nobody ──●────●──►
//	  └──── a UDP socket of the same number is ours ─────────┘
//
// Between the choice and the start, and while a server restarts, nobody listens, and a
// port could be taken by another server of another process, whose tests run at the same
// time. So each Port is marked by a UDP socket, and a number that is marked is not
// chosen. The system frees the mark of a process that is gone.
package loopback
