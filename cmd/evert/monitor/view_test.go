package monitor

import "testing"

// TestAViewThatIsOwnedDoesNotRunYet shows that a view is called streaming only once
// it was taken up: until then readers see the version before, or nothing.
func TestAViewThatIsOwnedDoesNotRunYet(t *testing.T) {
	v := NewView("totals")
	for _, step := range []struct {
		what string
		do   func()
		want State
	}{
		{"it begins", v.Starting, Starting},
		{"another daemon may have it", v.StandingBy, Standby},
		{"it is this one's turn", v.Owning, Starting},
		{"it was taken up", v.Running, Streaming},
	} {
		step.do()
		if got := v.Status().State; got != step.want {
			t.Errorf("%s: the state is %s, and not %s", step.what, got, step.want)
		}
	}
}
