package mysql

import (
	"sync"

	"github.com/evertdb/evert/pipeline"
)

// Stats is what a source knows of itself, for metrics and health.
type Stats struct {
	Connected  bool
	LastError  string
	WaitingFor string
	QueueBytes int64
	Snapshot   []TableProgress
	LeftOut    []*pipeline.Refusal // tables that match and are not captured
}

// TableProgress is how far a table's copy is.
type TableProgress struct {
	Table         string
	Rows          int64
	EstimatedRows int64
	Done          bool
}

// stats are written by the goroutines of a source and read by anybody.
type stats struct {
	mu   sync.Mutex
	s    Stats
	told map[string]bool
	at   map[string]int // of a table in s.Snapshot
}

func (s *stats) with(f func(s *Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.s)
}

func (s *stats) connected() {
	s.with(func(s *Stats) { s.Connected, s.LastError, s.WaitingFor = true, "", "" })
}

func (s *stats) disconnected(err error) {
	s.with(func(s *Stats) {
		s.Connected = false
		if err != nil {
			s.LastError = err.Error()
		}
	})
}

func (s *stats) waitFor(what string) { s.with(func(s *Stats) { s.WaitingFor = what }) }

// leaveOut notes a table, and reports whether that is news.
func (s *stats) leaveOut(r *pipeline.Refusal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told[r.Where] {
		return false
	}
	if s.told == nil {
		s.told = map[string]bool{}
	}
	s.told[r.Where] = true
	s.s.LeftOut = append(s.s.LeftOut, r)
	return true
}

// copying begins the progress of tables anew.
func (s *stats) copying(tables []*tableInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Snapshot, s.at = nil, map[string]int{}
	for _, t := range tables {
		s.at[t.String()] = len(s.s.Snapshot)
		s.s.Snapshot = append(s.s.Snapshot, TableProgress{Table: t.String(), EstimatedRows: t.rows})
	}
}

// copyBegins begins the progress of one table anew.
func (s *stats) copyBegins(table string, rows int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.at[table]
	if !ok {
		if s.at == nil {
			s.at = map[string]int{}
		}
		i = len(s.s.Snapshot)
		s.at[table], s.s.Snapshot = i, append(s.s.Snapshot, TableProgress{})
	}
	s.s.Snapshot[i] = TableProgress{Table: table, EstimatedRows: rows}
}

func (s *stats) copiedRows(table string, rows int, done bool) {
	s.with(func(all *Stats) {
		if i, ok := s.at[table]; ok {
			all.Snapshot[i].Rows += int64(rows)
			all.Snapshot[i].Done = all.Snapshot[i].Done || done
		}
	})
}

// Stats gives what is known now. It may be called from any goroutine.
func (s *Source) Stats() Stats {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	out := s.stats.s
	out.Snapshot = append([]TableProgress(nil), out.Snapshot...)
	out.LeftOut = append([]*pipeline.Refusal(nil), out.LeftOut...)
	_, out.QueueBytes = s.queue.Fill()
	return out
}
