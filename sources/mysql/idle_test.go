package mysql

import "testing"

// A connection that reads a chunk while the stream loses its own is not used again: the
// next stream may be of another server.
func TestIdleSessions(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	var idle idleSessions
	_, epoch := idle.take()
	free, busy := d.session(), d.session()
	idle.put(free, epoch)
	if got, _ := idle.take(); got != free {
		t.Fatal("a connection that is free is not used")
	}
	idle.put(free, epoch)
	idle.hangUp()
	idle.put(busy, epoch)
	if got, _ := idle.take(); got != nil {
		t.Error("a connection of before is used again")
	}
	for _, s := range []*session{free, busy} {
		if _, err := s.query(t.Context(), "SELECT 1"); err == nil {
			t.Error("a connection of before is still open")
		}
	}
}
