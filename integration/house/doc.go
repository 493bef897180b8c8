// Package house tests the rules of the house: who imports whom, which folder a
// client library lives in, how long a file may be, that documents name what
// exists. The list of imports is a golden file, so that a new edge is seen in
// review; `go test ./integration/house -update` rewrites it.
package house
