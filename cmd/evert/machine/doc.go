// Package machine looks at the machine that a deployment runs on: room on the
// disk, memory and open files that the system allows, and who else may read its files. It
// changes nothing.
package machine
