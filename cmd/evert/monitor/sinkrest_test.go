package monitor

import (
	"testing"
	"time"
)

// TestSinkRests tells a sink that rests because it was told to from one that waits
// for a person (I8).
func TestSinkRests(t *testing.T) {
	s := NewSink("hook", "webhook")
	judge := func() Reason {
		t.Helper()
		h := Health{Light: OK}
		h.JudgeSinks([]SinkStatus{s.Status()})
		if len(h.Reasons) == 0 {
			return Reason{Light: OK}
		}
		return h.Reasons[0]
	}
	s.Starting()
	s.Owning()
	s.Running()
	if r := judge(); r.Light != OK {
		t.Errorf("running: %+v", r)
	}
	at := time.Unix(1e9, 0)
	s.Paused(at, "ann@box")
	if st := s.Status(); st.State != Paused || !st.PausedAt.Equal(at) || st.PausedBy != "ann@box" || !st.Up() {
		t.Errorf("paused: %+v", st)
	}
	if r := judge(); r.Light != Degraded || r.Problem.Mend != "evert resume hook" || r.Problem.Text != "the sink is paused by ann@box" {
		t.Errorf("paused: %+v", r)
	}
	s.Resumed()
	if st := s.Status(); st.State != Starting || st.PausedAt != nil || st.PausedBy != "" {
		t.Errorf("resumed: %+v", st)
	}
	s.Running()
	s.Parked(&Problem{Text: "it waits at a record", Code: "SINK_AT_RECORD", At: at})
	if r := judge(); r.Light != Red || r.Problem.Code != "SINK_AT_RECORD" || r.Problem.Retry != nil {
		t.Errorf("parked: %+v", r)
	}
	s.Running()
	if r := judge(); r.Light != OK {
		t.Errorf("skipped: %+v", r)
	}
}
