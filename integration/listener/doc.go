// Package listener proves the Kafka listener of the embedded log with clients
// that know nothing of Evert: kcat (librdkafka), the Java consumer, franz-go.
package listener
