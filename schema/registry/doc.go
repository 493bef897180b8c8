// Package registry keeps the schemas of the topics, by id.
package registry
