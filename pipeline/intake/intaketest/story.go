package intaketest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Story is what events said, a line each. The zero value is ready; Tell and Take
// are safe for concurrent use.
type Story struct {
	mu   sync.Mutex
	said []string
	told chan struct{} // closed and made anew by each line
}

// Tell adds a line.
func (s *Story) Tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, fmt.Sprintf(format, args...))
	if s.told != nil {
		close(s.told)
		s.told = nil
	}
}

// Take gives what was said since it was last taken.
func (s *Story) Take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.Join(s.said, "\n")
	s.said = nil
	return text
}

// Await waits until these lines, and no others, were said since it was last taken,
// and takes them: what is seen comes before what is said.
func (s *Story) Await(t testing.TB, lines ...string) {
	t.Helper()
	limit := time.After(3 * time.Minute)
	for want := strings.Join(lines, "\n"); ; {
		got, told := s.look()
		if got == want {
			s.Take()
			return
		}
		select {
		case <-told:
		case <-limit:
			t.Fatalf("the story is\n%s\nwant\n%s", got, want)
		}
	}
}

func (s *Story) look() (said string, told <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		s.told = make(chan struct{})
	}
	return strings.Join(s.said, "\n"), s.told
}
