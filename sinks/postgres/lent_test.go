package postgres

import (
	"testing"
	"time"
)

// A dropper gives lines, and drops the connection under the COPY that reads them.
type dropper struct {
	drop  func()
	back  chan struct{} // closed when the COPY has returned
	reads int
	late  chan bool // told once: the COPY returned while it was read
}

// longest is what a COPY that does not wait is given to return in; one that waits never
// does meanwhile, however slow the machine is.
const longest = 100 * time.Millisecond

func (d *dropper) Read(p []byte) (int, error) {
	if d.reads++; d.reads == 2 {
		d.drop()
		select {
		case <-d.back:
			d.late <- true
		case <-time.After(longest):
			d.late <- false
		}
	}
	return copy(p, "1\n"), nil
}

// A connection is lost while rows are read for it: whoever gives them has them back,
// unread, before the COPY returns, since the next try changes them.
func TestRowsAreTakenBack(t *testing.T) {
	d := newDB(t)
	d.do("CREATE TABLE t (id int)")
	conn := d.dial().PgConn()
	r := &dropper{drop: func() { _ = conn.Conn().Close() }, back: make(chan struct{}), late: make(chan bool, 1)}
	err := copyIn(t.Context(), conn, r, "t", "id")
	close(r.back)
	if late := <-r.late; late || err == nil {
		t.Errorf("a read goes on beyond the return: %t; %v", late, err)
	}
}
