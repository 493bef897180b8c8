// Package embedded is a durable, compacted, transactional log in one directory
// of this process, on Pebble.
package embedded
