package monitor

import "testing"

// K09 a stuck transaction is new once, keeps the time at which it was first seen,
// and is forgotten when it is ended.
func TestStucks(t *testing.T) {
	var s Stucks
	one, two := Problem{Text: "one"}, Problem{Text: "two"}
	if fresh := s.Observed([]Problem{one}); len(fresh) != 1 {
		t.Fatalf("K09: the first is not new: %v", fresh)
	}
	if fresh := s.Observed([]Problem{one, two}); len(fresh) != 1 || fresh[0].Text != "two" {
		t.Fatalf("K09: new are %v", fresh)
	}
	if s.Observed(nil); len(s.List()) != 0 {
		t.Fatalf("K09: ended ones are kept: %v", s.List())
	}
}
