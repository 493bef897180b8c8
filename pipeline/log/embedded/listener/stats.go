package listener

import "sync/atomic"

// Stats count since the server began, but for Connections.
type Stats struct {
	Connections int    // open now
	Requests    uint64 // answered
	Refused     uint64 // that did not get what they asked for: groups, writes, wrong tokens, malformed bytes
	Records     uint64 // sent, with those that a client skips because it asked from within a batch
	Bytes       uint64 // sent
}

type stats struct {
	requests, refused, records, bytes atomic.Uint64
}

// Stats says how much was served.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := len(s.conns)
	s.mu.Unlock()
	return Stats{
		Connections: open, Requests: s.stats.requests.Load(), Refused: s.stats.refused.Load(),
		Records: s.stats.records.Load(), Bytes: s.stats.bytes.Load(),
	}
}
