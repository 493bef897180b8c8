package webhook

// For tests.
var (
	Signatures = signatures
	Allowed    = allowed
)
