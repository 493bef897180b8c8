package listener

// A slot is the memory of one answer with records: there are Limits.Fetches of
// them, so that whatever clients ask for, that much is the most that is held. It
// is taken when there is something to answer, and given back when that is sent.
type slot struct {
	records []byte // the batches of all partitions, one after another
	out     []byte // the answer on the wire
	large   bool   // it may hold one batch above FetchBytes
}

// slots are those that are free.
type slots struct {
	free  chan *slot
	large chan struct{} // of one: only one slot at a time holds a large batch
	keep  int           // the largest buffer that a free slot keeps, in bytes
}

func newSlots(n, bytes int) *slots {
	s := &slots{free: make(chan *slot, n), large: make(chan struct{}, 1), keep: 2 * bytes}
	for range n {
		s.free <- &slot{}
	}
	return s
}

// enlarge lets a slot hold one large batch, unless another does.
func (s *slots) enlarge(held *slot) bool {
	if held.large {
		return true
	}
	select {
	case s.large <- struct{}{}:
		held.large = true
		return true
	default:
		return false
	}
}

// give takes a slot back.
func (s *slots) give(held *slot) {
	if cap(held.records) > s.keep {
		held.records = nil
	}
	if cap(held.out) > s.keep {
		held.out = nil
	}
	if held.large {
		held.large = false
		<-s.large
	}
	s.free <- held
}
