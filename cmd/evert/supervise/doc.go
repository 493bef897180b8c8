// Package supervise keeps a component running.
//
// A component is one call of a function: it makes what it needs, works, and
// returns. When it returns an error it is called again, so that source, sink
// and writer are made anew and believe only what is committed (I10). Between
// two calls the supervisor waits:
//
//	          ┌────────────── wait: jittered, doubling up to Max ◄──┐
//	          ▼                                                     │ error
//	start ─► run ─── nil ──► done                                   │
//	          │                                                     │
//	          └── error ──► for a person? ── wait at Max ───────────┘
//
// The first wait is a hundredth of the longest, as configured by
// reconnect_max. A run that lasted Settled starts the doubling over. An error
// that only a person can mend is tried again at the longest wait from the
// start: when it is mended, the component goes on without being told (O13).
//
// The supervisor logs nothing itself; its Events say what happened.
package supervise
