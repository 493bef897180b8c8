//go:build !planted

package capture

// plant does nothing; see planted.go.
func plant(*Config) {}

// okBeforeTombstones is a wrong order; see planted.go.
func okBeforeTombstones() bool { return false }
