package check

import (
	"fmt"
	"strings"
)

// Problems collects what is wrong. The zero value is ready.
type Problems struct {
	list  []string
	count int
}

// mostProblems is how many are kept; the rest is counted.
const mostProblems = 25

// Add notes one problem.
func (p *Problems) Add(format string, args ...any) {
	p.count++
	if len(p.list) < mostProblems {
		p.list = append(p.list, fmt.Sprintf(format, args...))
	}
}

// Err gives all of them as one error, nil if there are none.
func (p *Problems) Err() error {
	if p.count == 0 {
		return nil
	}
	return fmt.Errorf("%d problems:\n  %s", p.count, strings.Join(p.list, "\n  "))
}
