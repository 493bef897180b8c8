//go:build race

package transform_test

// raced: the race detector makes pools forget at random.
const raced = true
