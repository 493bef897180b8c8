//go:build !planted

package capture

// plant does nothing; see planted.go.
func plant(*Config) {}
