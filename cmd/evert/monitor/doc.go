// Package monitor knows how the daemon is: what each source did, how far it is
// behind its server, and whether that is a reason to worry.
//
//	stage ──── Events ────► Source ──► Status ──► /v1/status, evert status
//	supervisor ── Events ──►   │          └─────► Judge ──► /readyz, evert_health
//	prober ─── Probed ──────►  └────────────────► Collector ──► /metrics
//	watching ─ Sampled ─────► Disk ──────────────────┤
//	    └───── Observed ────► Readers ───────────────┘
//
// # Two witnesses
//
// What a stage says about itself is worthless when it hangs. So a prober asks
// the server on a connection and a goroutine of its own how far the server is;
// a source is stuck when the server's end lies ahead of what is committed and
// the commits have not moved for StuckAfter. Alive is not the same as getting
// on (O12). A server without writes is idle, which looks different: it lies at
// the same place as we do.
//
// # Judgement
//
//	ok        everything gets on
//	degraded  something waits and will be tried again by itself
//	red       something is stuck, or only a person can mend it
package monitor
