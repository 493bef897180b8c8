package pipeline

// A Severity says what a finding means for a start.
type Severity uint8

// A finding fails a start, warns of what will hurt later, or says that what was
// looked at is fine.
const (
	Fails Severity = iota
	Warns
	Fine
)

// String names the severity as `evert check -o json` prints it.
func (s Severity) String() string { return [...]string{"error", "warning", "fine"}[min(s, Fine)] }

// A Finding is one thing that a check says of a server, a log or a machine. One
// that is fine has neither code nor mend.
type Finding struct {
	*Refusal
	Severity Severity
}

// Found makes a finding of a refusal.
func Found(s Severity, r Refusal) Finding { return Finding{&r, s} }

// Good is a finding that all is well.
func Good(where, what string) Finding { return Found(Fine, Refusal{Where: where, What: what}) }

// Failing gives the first finding that fails a start, or nil.
func Failing(all []Finding) *Refusal {
	for _, f := range all {
		if f.Severity == Fails {
			return f.Refusal
		}
	}
	return nil
}
