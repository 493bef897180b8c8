//go:build !planted

package view

// plant does nothing; see planted.go.
func plant(*Config) {}
