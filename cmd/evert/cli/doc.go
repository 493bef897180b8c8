// Package cli is what the verbs of the program share: what a call reads and writes (app.go),
// the daemon of a file asked, or what it left opened (client.go, resting.go), names completed
// for shells (complete.go).
package cli
