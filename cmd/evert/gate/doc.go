// Package gate stops a source at an exact place, so that what its capture has written there
// can be compared with a snapshot of the database at the same place.
package gate
