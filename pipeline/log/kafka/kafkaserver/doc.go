// Package kafkaserver runs throw-away clusters of Apache Kafka for tests: real
// brokers in KRaft mode, each a process of its own.
//
// A cluster is made in two steps:
//
//	Fetch   a Java, and the pinned version, which Maven brings into the user's cache, once
//	Start   format the storage, or copy one that was formatted alike before, start
//	        the nodes, wait until each takes requests
//
// # Layout of a cluster's directory
//
//	log4j2.properties            what a node writes, and where
//	node-1/server.properties     written anew at each start of the node
//	node-1/data/                 its topics, and its share of the metadata
//	node-1/server.log            what it wrote, appended over restarts
//
// # Nodes
//
// Brokers are numbered from 1. Unless Options.Controllers asks for controllers
// in processes of their own, numbered from 101, each broker is a controller too,
// so that a quorum of three survives the loss of any one. Every broker has the
// listener PLAINTEXT, which the brokers use among themselves and on which a test
// is the anonymous user; Options.Listeners adds others beside it.
//
// # Dying with us
//
// Each is a child of ours, and is killed when we are; see pipeline/loopback/child.
package kafkaserver
