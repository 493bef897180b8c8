// Package look has the verbs that show what is there and change nothing: a daemon is asked,
// or what it left is read. One file per verb.
package look
