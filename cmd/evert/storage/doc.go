// Package storage opens what a deployment keeps its rows and schemas in: the embedded log or
// a Kafka cluster, and the registry, as the file names them.
package storage
