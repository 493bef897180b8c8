// Package reset lets a source begin anew: its slot goes, then its frontier, and its topics with
// their schemas unless they are kept.
//
//	source.go   what would be touched, in which order
//	removal.go  noted first, then done, so that a crash in its midst is no secret
package reset
