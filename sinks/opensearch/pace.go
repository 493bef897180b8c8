package opensearch

import "sync"

// A pace is how large requests are now: half as large after each that found the
// cluster busy, a little larger after each that did not (S02), and never as large as
// one that was found too large (S06). Safe for concurrent use.
type pace struct {
	mu                sync.Mutex
	rows, bytes       int
	mostRows, mostAll int // what is grown to
}

const leastRows, leastBytes = 1, 16 << 10

func newPace(rows, bytes int) *pace {
	return &pace{rows: rows, bytes: bytes, mostRows: rows, mostAll: bytes}
}

// cut gives how many operations the next request takes, at least one.
func (p *pace) cut(ops []*op) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes := 0
	for i, o := range ops {
		bytes += o.end - o.start
		if i > 0 && (i >= p.rows || bytes > p.bytes) {
			return i
		}
	}
	return len(ops)
}

func (p *pace) busy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows, p.bytes = max(p.rows/2, leastRows), max(p.bytes/2, leastBytes)
}

func (p *pace) fine() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows = min(p.rows+p.mostRows/16+1, p.mostRows)
	p.bytes = min(p.bytes+p.mostAll/16+1, p.mostAll)
}

// tooLarge remembers that a request of so many bytes is more than the cluster takes.
func (p *pace) tooLarge(bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mostAll = max(min(p.mostAll, bytes/2), leastBytes)
	p.bytes = min(p.bytes, p.mostAll)
}
