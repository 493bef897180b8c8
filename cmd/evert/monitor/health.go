package monitor

import (
	"slices"
)

// A Light is the judgement in one word.
type Light string

// The lights.
const (
	OK       Light = "ok"
	Degraded Light = "degraded"
	Red      Light = "red"
)

// A Reason is one thing that is not well.
type Reason struct {
	Component string `json:"component"`
	Light     Light  `json:"light"`
	Problem
}

// A Health is the judgement over all components.
type Health struct {
	Light   Light    `json:"health"`
	Ready   bool     `json:"ready"` // something of what is served is readable
	Reasons []Reason `json:"reasons"`
}

// Judge looks at all sources.
func Judge(sources []SourceStatus) Health {
	h := Health{Light: OK, Ready: len(sources) == 0, Reasons: []Reason{}}
	for i := range sources {
		s := &sources[i]
		h.Ready = h.Ready || s.Ready
		if light := judge(s); light != OK {
			h.Add(Reason{Component: "source " + s.Name, Light: light, Problem: reasonOf(s)})
		}
	}
	return h
}

// Add takes in one more thing that is not well.
func (h *Health) Add(r Reason) {
	h.Reasons = append(h.Reasons, r)
	h.Light = worse(h.Light, r.Light)
}

func judge(s *SourceStatus) Light {
	switch s.State {
	case Stuck, Refused:
		return Red
	case Waiting:
		return Degraded
	case Starting, Snapshot:
		if !s.Ready {
			return Degraded
		}
	}
	for _, t := range s.Tables {
		if t.State == "stopped" {
			return Red
		}
	}
	return OK
}

func reasonOf(s *SourceStatus) Problem {
	switch {
	case s.Problem != nil:
		return *s.Problem
	case s.State == Starting:
		return Problem{Text: "starting; nothing was read yet", At: s.Since}
	case s.State == Snapshot:
		return Problem{Text: "the first snapshot is not complete", At: s.Since}
	}
	for i := range s.Tables {
		if p := s.Tables[i].Problem; p != nil {
			return *p
		}
	}
	return Problem{Text: "a table has stopped", At: s.Since}
}

func worse(a, b Light) Light {
	if a == Red || b == Red {
		return Red
	}
	if a == Degraded || b == Degraded {
		return Degraded
	}
	return OK
}

func sortedCopy(v []float64) []float64 {
	c := slices.Clone(v)
	slices.Sort(c)
	return c
}
