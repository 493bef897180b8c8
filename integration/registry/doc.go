// Package registry uses the registry that evert serves as its clients do:
// franz-go's, Python's confluent-kafka and @kafkajs/confluent-schema-registry,
// all of them unchanged, and kills it between registrations.
//
// What the clients need is installed once, by pip and npm, below the user's cache
// folder, and keyed by the versions in testdata.
package registry
